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
  private var retired = RetiredConsumers()
  /// Results that were to be acknowledged when the connection broke.
  private(set) var lostResults = 0
  /// How many acks, nacks and rejects this session has sent.
  private var settlements = 0
  private(set) var requests: PendingRequests
  /// Whether tasks are to be received.
  private var wantsTasks = true
  /// What the broker has said of the queue, which is nil when it is gone; nil when it has not since that was taken.
  private var look: Queue.Status??
  /// When the broker cancelled the present consumer, and whether the queue was gone.
  private var cancelTime = Deadline.now
  private var isQueueGone = false

  /// The broker acts on this number of them at once, whatever the queue: see `ackBarrier(of:within:)`.
  private static let fewSettlements = 16
  /// For the broker to act on the last of them: what it has not acted on, it redelivers.
  private static let closeTimeout = Duration.seconds(30)

  /// `setUp()` has it consume.
  init(_ context: WorkerContext, _ connection: consuming Connection, asksForTimeout: Bool) {
    (self.context, self.asksForTimeout, ledger) = (context, asksForTimeout, AckLedger(session: 0))
    requests = PendingRequests(within: context.options.connection.rpcTimeout)
    self.connection = connection
  }

  // MARK: Consuming

  /// Makes sure of the queue, and starts to receive its tasks, as far as possible without blocking.
  ///
  /// - Returns: whether it consumes.
  func setUp() throws(AMQPError) -> Bool {
    try consume()
    while !isConsuming, try nextEvent() != nil {}
    return isConsuming
  }

  /// Begins to make sure of the queue and to receive its tasks, unless it does; `consuming` is the event when it does.
  func consume() throws(AMQPError) {
    wantsTasks = true
    if !isConsuming, !requests.setUp { try ask(.finding) }
  }

  /// Takes no more tasks; those already in flight still arrive as events.
  func stopConsuming() throws(AMQPError) {
    wantsTasks = false
    guard isConsuming else { return }
    isConsuming = false
    try ask(.cancelling)
  }

  private func ask(_ request: PendingRequests.Request) throws(AMQPError) {
    switch request {
    case .finding, .declaring, .looking, .counting, .checking:
      try connection.sendDeclare(Queue(name: options.queue), isPassive: request != .declaring)
    case .consuming:
      // Each consumer has a tag that the broker has not seen in this session: it may keep the old one.
      consumerNumber += 1
      consumer = consumerNumber == 1 ? options.consumer : "\(options.consumer)-\(consumerNumber)"
      var arguments = FieldTable()
      arguments["x-consumer-timeout"] = askedTimeout.map { .int64($0.milliseconds) }
      try connection.sendConsume(
        queue: options.queue, consumer: consumer, prefetch: prefetch,
        acknowledges: options.acknowledges, arguments: arguments)
    case .cancelling: try connection.sendCancel(consumer: consumer)
    }
    requests.sent(request)
  }

  /// The channel is closed, perhaps over the first of the requests.
  ///
  /// - Returns: what the worker must know.
  private func closed(_ error: AMQPError) throws(AMQPError) -> Event? {
    isConsuming = false
    ledger = AckLedger(session: 0)  // all that it gave us, it gives to others
    let (request, setUp) = (requests.refused, requests.setUp)
    requests.removeAll()
    switch (request, error.kind) {
    case (.finding, .notFound):
      guard options.declares else {
        throw AMQPError(.notFound, "consume from queue '\(options.queue)'", "there is no such queue")
      }
      try ask(.declaring)
    case (.declaring, .preconditionFailed):
      // Someone declared it in the meantime, and differently.
      try ask(.consuming)
    case (.consuming, .preconditionFailed)
    where asksForTimeout && error.detail.contains("x-consumer-timeout"):
      asksForTimeout = false
      try ask(.consuming)
    case (.finding?, .preconditionFailed): return .channelClosed(error)  // which is about something else
    case (.finding?, _), (.declaring?, _), (.consuming?, _):
      throw AMQPError(error.kind, request?.operation(on: options.queue) ?? "", error.detail)
    case (.looking, .notFound):
      look = .some(nil)
      if setUp, wantsTasks { try ask(.finding) }
    case (.checking, .notFound):
      isQueueGone = true
      return .cancelled(consumer: consumer)
    default: return .channelClosed(error)
    }
    return nil
  }

  private func began() {
    isConsuming = true
    guard ledger.session != connection.session else { return }
    ledger = AckLedger(session: connection.session)
    settlements = 0
    retired = RetiredConsumers()
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

  /// Why the broker has cancelled a consumer.
  enum Cancellation {
    /// The queue was deleted, or has moved.
    case queueGone
    /// The queue is still there, and this number of tasks took too long and are void.
    case timedOut(tasks: Int)
  }

  /// Why the broker has cancelled a consumer, and which deliveries are void by that.
  ///
  /// A broker that was asked for a time limit cancels the consumer when a delivery reaches it, and gives that
  /// one to somebody else. The younger ones are still ours.
  func cancelled(_ name: String) -> Cancellation {
    let isRetired = retired.contains(name)
    guard let limit = askedTimeout, isRetired || !isQueueGone else { return .queueGone }
    return .timedOut(
      tasks: retired.cancelled(name, at: isRetired ? .now : cancelTime, limit: limit, &ledger))
  }

  /// Removes the consumers that the broker keeps: it might give them tasks again.
  func forgetRetired() throws(AMQPError) {
    for consumer in retired.takeAll() { try connection.forget(consumer: consumer) }
  }

  // MARK: Events

  /// The next event that the worker must know of: the answers to most requests are not.
  func nextEvent() throws(AMQPError) -> Event? {
    while let event = try connection.nextEvent(within: .zero) {
      requests.heard()
      if let event = try handle(event) { return event }
    }
    if let timeout = requests.timeout(on: options.queue) { throw timeout }
    return nil
  }

  private func handle(_ event: Event) throws(AMQPError) -> Event? {
    switch event {
    case .delivered(let delivery): if options.acknowledges { ledger.opened(delivery.tag) }
    case .declared(let status):
      switch requests.answered({ $0 != .consuming && $0 != .cancelling }) {
      case .finding, .declaring: if wantsTasks { try ask(.consuming) }
      case .looking: look = status
      case .checking: return .cancelled(consumer: consumer)
      default: return event
      }
      return nil
    case .consuming:
      _ = requests.answered { $0 == .consuming }
      began()
      if !wantsTasks { try stopConsuming() }
    case .cancelled(let name):
      if retired.contains(name) { return event }
      guard isConsuming, name == consumer else {
        _ = requests.answered { $0 == .cancelling }
        return nil
      }
      (isConsuming, isQueueGone, cancelTime) = (false, false, .now)
      guard askedTimeout != nil else { return event }
      try ask(.checking)
      return nil
    case .channelClosed(let error): return try closed(error)
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
    for consumer in retired.takeSettled(ledger) { try connection.forget(consumer: consumer) }
    connection.sendUnsent()
    if !connection.hasUnsent { lostResults = 0 }
  }

  /// Asks how many tasks wait, unless it has; `declared` is the event of the answer.
  func requestCount() throws(AMQPError) {
    if isConsuming, !requests.contains(.counting) { try ask(.counting) }
  }

  /// What the broker says of the queue, which is nil when it is gone; nil until it has answered.
  func lookAtQueue() throws(AMQPError) -> Queue.Status?? {
    if let status = look {
      look = nil
      return status
    }
    if !requests.isWaiting { try ask(.looking) }
    return nil
  }

  /// Closes the connection when the broker has acted on every acknowledgement, or has had half a minute for it, or
  /// a second signal arrives.
  func close() {
    let deadline = Deadline.after(Self.closeTimeout)
    // The broker hands out no more before it has acted on those that make room for it.
    let prefetch = Int(prefetch)
    if settlements > Self.fewSettlements, prefetch == 0 || prefetch > Self.fewSettlements {
      connection.settle(queue: options.queue, within: Self.closeTimeout)
    }
    connection.close(within: deadline.remaining ?? .zero)
  }

  /// Closes the connection when the broker has read what was sent, or at `deadline`, whatever signals arrive.
  func close(by deadline: Deadline) {
    connection.close(within: deadline.remaining ?? .zero, isInterruptible: false)
  }
}
