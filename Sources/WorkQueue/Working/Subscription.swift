internal import AMQP

/// A connection that consumes the work queue, and what the broker is still to be told on it.
struct Subscription: ~Copyable {
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var connection: Connection
  private(set) var ledger: AckLedger
  private(set) var isConsuming = false
  private var asksForTimeout = true
  /// How many of the tasks that the broker has handed out are held until the worker stops.
  private var held = 0
  /// The present consumer's tag.
  private var consumer = ""
  /// Counts the consumers, so that each has a tag of its own.
  private var consumerNumber = 0
  /// Consumers that the broker has cancelled over a time limit, with the number of their last delivery: the
  /// broker keeps them until their other deliveries are settled.
  private var retired: [(consumer: String, last: UInt64)] = []
  /// Results that were to be acknowledged when the connection broke.
  private(set) var lostResults = 0
  /// How many acks, nacks and rejects this session has sent.
  private var settlements = 0

  /// The broker acts on this number of them at once, whatever the queue: see `takeOneMore(of:within:)`.
  private static let fewSettlements = 16
  /// For the broker to act on the last of them: what it has not acted on, it redelivers.
  private static let closeTimeout = Duration.seconds(30)

  /// Connects to the first of the brokers that does not fail for now, and consumes; with a time limit of our own
  /// where `asksForTimeout` and the broker permits it.
  static func open(
    _ context: WorkerContext, asksForTimeout: Bool = true
  ) throws(AMQPError) -> Subscription {
    try Connection.withFirst(of: context.options.addresses, context.options.connection) {
      connection throws(AMQPError) in
      var subscription = Subscription(context: context, connection: connection, ledger: AckLedger(session: 0))
      subscription.asksForTimeout = asksForTimeout
      try subscription.consume()
      return subscription
    }
  }

  private init(context: WorkerContext, connection: consuming Connection, ledger: AckLedger) {
    self.context = context
    self.connection = connection
    self.ledger = ledger
  }

  var broker: String { connection.broker }
  var address: Address { connection.address }
  var descriptor: Int32 { connection.descriptor }
  var hasUnsent: Bool { connection.hasUnsent }
  /// How often the connection must be looked after.
  var serviceInterval: Duration? { connection.serviceInterval }

  /// The version, where the broker is a RabbitMQ.
  var version: BrokerVersion? { BrokerVersion(broker: connection.broker) }

  /// Whether the broker knows consumers that ask for a time limit.
  var knowsTimeouts: Bool { version.map { $0 >= BrokerVersion(4, 3) } ?? false }

  /// The time limit that the broker was asked for and heeds; nil where it does not.
  var askedTimeout: Duration? { asksForTimeout && knowsTimeouts ? options.neededTimeout : nil }

  /// Makes sure of the queue, and starts to receive its tasks; also after the broker stopped that.
  ///
  /// Each time with a tag that the broker has not seen in this session: it may keep the old one.
  mutating func consume() throws(AMQPError) {
    isConsuming = false
    try ensureQueue()
    consumerNumber += 1
    consumer = consumerNumber == 1 ? options.consumer : "\(options.consumer)-\(consumerNumber)"
    do throws(AMQPError) {
      try consumeQueue()
    } catch  where error.kind == .preconditionFailed && error.detail.contains("x-consumer-timeout") {
      asksForTimeout = false
      try consumeQueue()
    }
    isConsuming = true
    if ledger.session != connection.session {
      ledger = AckLedger(session: connection.session)
      settlements = 0
      retired = []
    }
  }

  /// How many unacknowledged tasks the broker may have handed out; 0 is no limit.
  private var prefetch: UInt16 {
    let wanted = options.bounds.prefetch(options.prefetch)
    return wanted == 0 ? 0 : UInt16(clamping: Int(wanted) + held)
  }

  /// Consumes anew where tasks are held that take the places of others: the broker heeds a new prefetch only then.
  mutating func makeRoom(forHeld count: Int) throws(AMQPError) {
    held = count
    guard isConsuming else { return }
    try stopConsuming()
    try consume()
  }

  private mutating func consumeQueue() throws(AMQPError) {
    var arguments = FieldTable()
    arguments["x-consumer-timeout"] = askedTimeout.map { .int64($0.milliseconds) }
    try connection.consume(
      queue: options.queue, consumer: consumer, prefetch: prefetch,
      acknowledges: options.acknowledges, arguments: arguments)
  }

  /// Why the broker has cancelled a consumer.
  enum Cancellation {
    /// The queue was deleted, or has moved.
    case queueGone
    /// The queue is still there, and this number of tasks took too long and are void.
    case timedOut(tasks: Int)
  }

  /// Finds out why the broker has cancelled a consumer, and which deliveries are void by that.
  ///
  /// A broker that was asked for a time limit cancels the consumer when a delivery reaches it, and gives that
  /// one to somebody else. The younger ones are still ours.
  mutating func cancelled(_ name: String) throws(AMQPError) -> Cancellation {
    let isPresent = !retired.contains { $0.consumer == name }
    if isPresent { isConsuming = false }
    guard let limit = askedTimeout else { return .queueGone }
    if isPresent {
      guard try status() != nil else { return .queueGone }
    }
    let last = isPresent ? ledger.last : retired.first { $0.consumer == name }?.last ?? 0
    // The broker began to count when it sent the task, and reports the end at once.
    let moment = Deadline.now + (min(.seconds(1), limit / 8) - limit)
    let count = ledger.expire(receivedBy: moment, upTo: last)
    if isPresent { retired.append((name, last)) }
    return .timedOut(tasks: count)
  }

  /// Removes the consumers that the broker keeps: it might give them tasks again.
  mutating func forgetRetired() throws(AMQPError) {
    for (consumer, _) in retired { try connection.forget(consumer: consumer) }
    retired = []
  }

  mutating func nextEvent() throws(AMQPError) -> Event? {
    let event = try connection.nextEvent(within: .zero)
    switch event {
    case .delivered(let delivery): if options.acknowledges { ledger.opened(delivery.tag) }
    case .channelClosed:
      isConsuming = false
      ledger = AckLedger(session: 0)  // all that it gave us, it gives to others
    default: break
    }
    return event
  }

  /// Sends a heartbeat if one is due.
  mutating func sendHeartbeat() { connection.sendHeartbeat() }

  /// Whether `nextEvent()` may have something to tell without a look at the socket.
  var mayHoldEvents: Bool { connection.hasBufferedEvents }

  /// The session whose tasks are settled here.
  var session: Int { ledger.session }

  /// Whether the broker still waits for what becomes of this task.
  func holds(_ tag: Delivery.Tag) -> Bool { ledger.isOpen(tag) }

  /// Notes that a task is done.
  mutating func finished(_ tag: Delivery.Tag) {
    if options.acknowledges { _ = ledger.finished(tag) }
  }

  mutating func handBack(_ tag: Delivery.Tag) throws(AMQPError) {
    guard options.acknowledges else { return }
    ledger.requeued(tag)
    settlements += 1
    try connection.requeue(tag)
  }

  mutating func reject(_ tag: Delivery.Tag, requeue: Bool) throws(AMQPError) {
    guard options.acknowledges else { return }
    ledger.requeued(tag)
    settlements += 1
    try connection.reject(tag, requeue: requeue)
  }

  /// Tells the broker of all that is done.
  mutating func flush() throws(AMQPError) {
    lostResults = ledger.unflushedCount
    for ack in ledger.flush() {
      try connection.acknowledge(ack.tag, multiple: ack.multiple)
      settlements += 1
    }
    for (consumer, last) in retired where ledger.isSettled(upTo: last) {
      try connection.forget(consumer: consumer)
      retired.removeAll { $0.consumer == consumer }
    }
    connection.sendUnsent()
    if !connection.hasUnsent { lostResults = 0 }
  }

  /// What the broker says of the queue; nil when it is gone.
  mutating func status() throws(AMQPError) -> Queue.Status? {
    try connection.status(ofQueue: options.queue)
  }

  /// Takes no more tasks; those already on their way still come as events.
  mutating func stopConsuming() throws(AMQPError) {
    guard isConsuming else { return }
    isConsuming = false
    try connection.cancel(consumer: consumer)
  }

  /// Closes the connection when the broker has acted on every acknowledgement, or has had half a minute for it, or
  /// a second signal arrives.
  consuming func close() {
    let deadline = Deadline.after(Self.closeTimeout)
    // The broker hands out no more before it has acted on those that make room for it.
    let prefetch = Int(prefetch)
    if settlements > Self.fewSettlements, prefetch == 0 || prefetch > Self.fewSettlements {
      do throws(AMQPError) {
        let more = try connection.takeOneMore(of: options.queue, within: Self.closeTimeout)
        if let more { try connection.requeue(more.tag) }
        _ = try connection.status(ofQueue: options.queue)
      } catch {
        // A stream, a single consumer's queue or a broker that went: there is nothing more to be done.
      }
    }
    connection.close(within: deadline.remaining ?? .zero)
  }

  /// Closes the connection when the broker has read what was sent, or at `deadline`, whatever signals arrive.
  consuming func close(by deadline: Deadline) {
    connection.close(within: deadline.remaining ?? .zero, isInterruptible: false)
  }

  private mutating func ensureQueue() throws(AMQPError) {
    guard try connection.status(ofQueue: options.queue) == nil else { return }
    guard options.declares else {
      throw AMQPError(.notFound, "consume from queue '\(options.queue)'", "there is no such queue")
    }
    try connection.ensure(queue: options.queue)
  }
}
