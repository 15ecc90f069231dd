internal import AMQP

/// A connection that consumes the work queue, and what the broker is still to be told on it.
///
/// An object, because a large value would be copied each time an optional one is looked at.
final class Subscription {
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var connection: Connection
  private(set) var ledger: AckLedger
  private(set) var isConsuming = false
  private var asksForTimeout: Bool
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
  /// What the broker was asked for by `setUp()`; nil when that has not begun.
  private var step: Step?
  /// When it must have answered.
  private(set) var setupDeadline = Deadline.never

  private enum Step {
    case looking, declaring, consuming
  }

  /// The broker acts on this number of them at once, whatever the queue: see `ackBarrier(of:within:)`.
  private static let fewSettlements = 16
  /// For the broker to act on the last of them: what it has not acted on, it redelivers.
  private static let closeTimeout = Duration.seconds(30)

  /// `setUp()` has it consume.
  init(_ context: WorkerContext, _ connection: consuming Connection, asksForTimeout: Bool) {
    (self.context, self.asksForTimeout, ledger) = (context, asksForTimeout, AckLedger(session: 0))
    self.connection = connection
  }

  // MARK: Setting up

  /// Makes sure of the queue, and starts to receive its tasks, as far as possible without blocking.
  ///
  /// - Returns: whether it consumes.
  func setUp() throws(AMQPError) -> Bool {
    if step == nil { try ask(.looking) }
    while let event = try connection.nextEvent(within: .zero) {
      switch event {
      case .declared: try ask(.consuming)
      case .channelClosed(let error): try refused(error)
      case .consuming:
        began()
        return true
      default: break
      }
    }
    guard !setupDeadline.hasPassed else {
      throw AMQPError(.timedOut, operation, "no answer in time")
    }
    return false
  }

  private func ask(_ step: Step) throws(AMQPError) {
    self.step = step
    setupDeadline = .after(options.connection.rpcTimeout)
    switch step {
    case .looking, .declaring:
      try connection.sendDeclare(Queue(name: options.queue), isPassive: step == .looking)
    case .consuming:
      nameConsumer()
      try connection.sendConsume(
        queue: options.queue, consumer: consumer, prefetch: prefetch,
        acknowledges: options.acknowledges,
        arguments: arguments)
    }
  }

  private func refused(_ error: AMQPError) throws(AMQPError) {
    switch (step, error.kind) {
    case (.looking, .notFound):
      guard options.declares else { throw noQueue }
      try ask(.declaring)
    case (.declaring, .preconditionFailed):
      // Someone declared it in the meantime, and differently.
      try ask(.consuming)
    case (.consuming, .preconditionFailed) where asksForTimeout && Self.isAboutTimeout(error):
      asksForTimeout = false
      try ask(.consuming)
    default: throw AMQPError(error.kind, operation, error.detail)
    }
  }

  private var operation: String {
    switch step {
    case .looking, nil: "look at queue '\(options.queue)'"
    case .declaring: "declare queue '\(options.queue)'"
    case .consuming: "consume from queue '\(options.queue)'"
    }
  }

  private static func isAboutTimeout(_ error: AMQPError) -> Bool {
    error.kind == .preconditionFailed && error.detail.contains("x-consumer-timeout")
  }

  private var noQueue: AMQPError {
    AMQPError(.notFound, "consume from queue '\(options.queue)'", "there is no such queue")
  }

  /// Each consumer has a tag that the broker has not seen in this session: it may keep the old one.
  private func nameConsumer() {
    consumerNumber += 1
    consumer = consumerNumber == 1 ? options.consumer : "\(options.consumer)-\(consumerNumber)"
  }

  private func began() {
    isConsuming = true
    guard ledger.session != connection.session else { return }
    ledger = AckLedger(session: connection.session)
    settlements = 0
    retired = []
  }

  var broker: String { connection.broker }
  var address: Address { connection.address }
  var descriptor: Int32 { connection.descriptor }
  var waitsForWriting: Bool { connection.waitsForWriting }
  /// How often the connection must be looked after.
  var serviceInterval: Duration? { connection.serviceInterval }

  /// The version, where the broker is a RabbitMQ.
  var version: BrokerVersion? { BrokerVersion(broker: connection.broker) }

  /// Whether the broker knows consumers that ask for a time limit.
  var knowsTimeouts: Bool { version.map { $0 >= BrokerVersion(4, 3) } ?? false }

  /// The time limit that the broker was asked for and heeds; nil where it does not.
  var askedTimeout: Duration? { asksForTimeout && knowsTimeouts ? options.neededTimeout : nil }

  /// Makes sure of the queue, and starts to receive its tasks again after that was stopped.
  func consume() throws(AMQPError) {
    isConsuming = false
    try ensureQueue()
    nameConsumer()
    do throws(AMQPError) {
      try consumeQueue()
    } catch  where Self.isAboutTimeout(error) {
      asksForTimeout = false
      try consumeQueue()
    }
    began()
  }

  /// How many unacknowledged tasks the broker may have handed out; 0 is no limit.
  private var prefetch: UInt16 {
    let wanted = options.bounds.prefetch(options.prefetch)
    return wanted == 0 ? 0 : UInt16(clamping: Int(wanted) + held)
  }

  /// Consumes anew where tasks are held that take the places of others: the broker heeds a new prefetch only then.
  func makeRoom(forHeld count: Int) throws(AMQPError) {
    held = count
    guard isConsuming else { return }
    try stopConsuming()
    try consume()
  }

  private var arguments: FieldTable {
    var arguments = FieldTable()
    arguments["x-consumer-timeout"] = askedTimeout.map { .int64($0.milliseconds) }
    return arguments
  }

  private func consumeQueue() throws(AMQPError) {
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
  func cancelled(_ name: String) throws(AMQPError) -> Cancellation {
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
  func forgetRetired() throws(AMQPError) {
    for (consumer, _) in retired { try connection.forget(consumer: consumer) }
    retired = []
  }

  func nextEvent() throws(AMQPError) -> Event? {
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
  func sendHeartbeat() { connection.sendHeartbeat() }

  /// Whether `nextEvent()` may have something to tell without a look at the socket.
  var mayHoldEvents: Bool { connection.hasBufferedEvents }

  /// The session whose tasks are settled here.
  var session: Int { ledger.session }

  /// Whether the broker still waits for what becomes of this task.
  func holds(_ tag: Delivery.Tag) -> Bool { ledger.isOpen(tag) }

  /// Notes that a task is done.
  func finished(_ tag: Delivery.Tag) {
    if options.acknowledges { _ = ledger.finished(tag) }
  }

  func release(_ tag: Delivery.Tag) throws(AMQPError) {
    guard options.acknowledges else { return }
    ledger.requeued(tag)
    settlements += 1
    try connection.requeue(tag)
  }

  func reject(_ tag: Delivery.Tag, requeue: Bool) throws(AMQPError) {
    guard options.acknowledges else { return }
    ledger.requeued(tag)
    settlements += 1
    try connection.reject(tag, requeue: requeue)
  }

  /// Tells the broker of all that is done.
  func flush() throws(AMQPError) {
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

  /// Asks how many tasks wait, without a wait for the answer.
  func requestCount() throws(AMQPError) {
    if isConsuming { try connection.sendDeclare(Queue(name: options.queue), isPassive: true) }
  }

  /// What the broker says of the queue; nil when it is gone.
  func status() throws(AMQPError) -> Queue.Status? {
    try connection.status(ofQueue: options.queue)
  }

  /// Takes no more tasks; those already on their way still come as events.
  func stopConsuming() throws(AMQPError) {
    guard isConsuming else { return }
    isConsuming = false
    try connection.cancel(consumer: consumer)
  }

  /// Closes the connection when the broker has acted on every acknowledgement, or has had half a minute for it, or
  /// a second signal arrives.
  func close() {
    let deadline = Deadline.after(Self.closeTimeout)
    // The broker hands out no more before it has acted on those that make room for it.
    let prefetch = Int(prefetch)
    if settlements > Self.fewSettlements, prefetch == 0 || prefetch > Self.fewSettlements {
      do throws(AMQPError) {
        let more = try connection.ackBarrier(of: options.queue, within: Self.closeTimeout)
        if let more { try connection.requeue(more.tag) }
        _ = try connection.status(ofQueue: options.queue)
      } catch {
        // A stream, a single consumer's queue or a broker that went: there is nothing more to be done.
      }
    }
    connection.close(within: deadline.remaining ?? .zero)
  }

  /// Closes the connection when the broker has read what was sent, or at `deadline`, whatever signals arrive.
  func close(by deadline: Deadline) {
    connection.close(within: deadline.remaining ?? .zero, isInterruptible: false)
  }

  private func ensureQueue() throws(AMQPError) {
    guard try connection.status(ofQueue: options.queue) == nil else { return }
    guard options.declares else { throw noQueue }
    try connection.ensure(queue: options.queue)
  }
}
