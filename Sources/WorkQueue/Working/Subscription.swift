internal import AMQP

/// A connection that consumes the work queue, and the acknowledgements that are still to be sent on it.
///
/// A class, because a large value would be copied each time an optional one is read.
final class Subscription {
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var connection: Connection
  private(set) var ledger: AckLedger
  private(set) var isConsuming = false
  private var asksForTimeout: Bool
  /// Number of delivered tasks that are held until the worker stops.
  private var held = 0
  /// The present consumer's tag.
  private var consumer = ""
  /// Counts the consumers, so that each has its own tag.
  private var consumerNumber = 0
  private var retired = RetiredConsumers()
  /// Number of results whose acknowledgements are not sent yet: they are lost with the connection.
  private(set) var lostResults = 0
  /// Number of acks, nacks and rejects sent in this session.
  private var settlements = 0
  private(set) var requests: PendingRequests
  /// Whether to receive tasks.
  private var wantsTasks = true
  /// The queue's status in the last reply, `.some(nil)` when the queue is gone; nil after it was read.
  private var look: Queue.Status??
  /// The number of tasks that expired when the broker cancelled the present consumer, until that is reported.
  private var expired: Int?
  /// Whether the broker cancelled it because the queue was deleted.
  private var isQueueGone = false
  /// The session whose queue was deleted.
  private var deletedSession: Int?

  /// The broker acts on this number of settlements at once, for every queue type: see `ackBarrier(of:within:)`.
  private static let fewSettlements = 16
  /// How long the broker may take to act on the last settlements; otherwise it redelivers their tasks.
  private static let closeTimeout = Duration.seconds(30)

  /// Does not consume yet: see `setUp()`.
  init(_ context: WorkerContext, _ connection: consuming Connection, asksForTimeout: Bool) {
    (self.context, self.asksForTimeout, ledger) = (context, asksForTimeout, AckLedger(session: 0))
    requests = PendingRequests(within: context.options.connection.rpcTimeout)
    self.connection = connection
  }

  // MARK: Consuming

  /// Finds or declares the queue, and starts to receive its tasks, as far as possible without blocking.
  ///
  /// - Returns: whether it consumes.
  func setUp() throws(AMQPError) -> Bool {
    try consume()
    while !isConsuming, try nextEvent() != nil {}
    return isConsuming
  }

  /// Starts to find or declare the queue and to consume, unless it has; `consuming` is the event when it does.
  func consume() throws(AMQPError) {
    wantsTasks = true
    if !isConsuming, !requests.setUp { try ask(.finding) }
  }

  /// Stops consuming; deliveries in flight still arrive as events.
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
      // Each consumer needs a tag that is new in this session, because the broker may keep the old one.
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

  /// Handles a closed channel; the broker may have closed it because of the first pending request.
  ///
  /// - Returns: the event for the worker, if there is one.
  private func closed(_ error: AMQPError) throws(AMQPError) -> Event? {
    isConsuming = false
    if error.kind == .notFound, ledger.session > 0 { deletedSession = ledger.session }
    ledger = AckLedger(session: 0)  // the broker redelivers all of its tasks, unless the queue was deleted
    let (request, setUp) = (requests.refused, requests.setUp)
    requests.removeAll()
    switch (request, error.kind) {
    case (.finding, .notFound):
      guard options.declares else {
        throw AMQPError(.notFound, "consume from queue '\(options.queue)'", "there is no such queue")
      }
      try ask(.declaring)
    case (.declaring, .preconditionFailed):
      // Another client has declared it in the meantime, with other properties.
      try ask(.consuming)
    case (.consuming, .preconditionFailed)
    where asksForTimeout && error.detail.contains("x-consumer-timeout"):
      asksForTimeout = false
      try ask(.consuming)
    case (.finding?, .preconditionFailed): return .channelClosed(error)  // about another operation
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
  /// When the connection must be served at the latest.
  var nextService: Deadline { connection.nextService }

  /// The broker's version; nil for another product.
  var version: BrokerVersion? { BrokerVersion(broker: connection.broker) }

  /// Whether the broker supports a time limit for each consumer.
  var knowsTimeouts: Bool { version.map { $0 >= BrokerVersion(4, 3) } ?? false }

  /// The time limit that was requested and that the broker applies; nil when it applies none.
  var askedTimeout: Duration? { asksForTimeout && knowsTimeouts ? options.neededTimeout : nil }

  /// Maximum unacknowledged tasks (prefetch); 0 means unlimited.
  private var prefetch: UInt16 {
    let wanted = options.bounds.prefetch(options.prefetch)
    return wanted == 0 ? 0 : UInt16(clamping: Int(wanted) + held)
  }

  /// Consumes again with a prefetch raised by the held tasks: the broker applies a new one only to a new consumer.
  func makeRoom(forHeld count: Int) throws(AMQPError) {
    held = count
    guard isConsuming else { return }
    try stopConsuming()
    try consume()
  }

  /// Why the broker has cancelled a consumer.
  enum Cancellation {
    /// The queue was deleted, or its leader moved.
    case queueGone
    /// The queue still exists; this number of tasks took too long and are stale.
    case timedOut(tasks: Int)
  }

  /// Why the broker has cancelled a consumer; marks the deliveries that are stale because of that.
  ///
  /// A broker that applies a requested time limit cancels the consumer when a delivery reaches it, and redelivers that
  /// task. The consumer's younger deliveries stay valid.
  func cancelled(_ name: String) -> Cancellation {
    guard let limit = askedTimeout, name != consumer || !isQueueGone else {
      retired.remove(name)
      expired = nil
      return .queueGone
    }
    return .timedOut(tasks: expired.take() ?? retired.cancelled(name, limit: limit, &ledger))
  }

  /// Removes cancelled consumers that the broker keeps: it might deliver tasks to them again.
  func forgetRetired() throws(AMQPError) {
    for consumer in retired.takeAll() { try connection.forget(consumer: consumer) }
  }

  // MARK: Events

  /// The next event for the worker; the replies to most requests are handled here.
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
      (isConsuming, isQueueGone) = (false, false)
      guard let limit = askedTimeout else { return event }
      // Now, because a task that ends before the reply is stale.
      expired = retired.cancelled(name, limit: limit, &ledger)
      try ask(.checking)
      return nil
    case .channelClosed(let error): return try closed(error)
    default: break
    }
    return event
  }

  func sendHeartbeat() { connection.sendHeartbeat() }

  /// Whether `nextEvent()` may return an event without reading the socket.
  var mayHoldEvents: Bool { connection.hasBufferedEvents }

  /// Whether the broker still waits for the ack, nack or reject of this task.
  func holds(_ tag: Delivery.Tag) -> Bool { ledger.isOpen(tag) }

  /// Why the broker does not wait for it; nil when it does.
  func staleness(of tag: Delivery.Tag) -> Staleness? {
    if ledger.isOpen(tag) { return nil }
    if tag.session == deletedSession { return .queueDeleted }
    return tag.session == ledger.session ? .timeLimitPassed : .connectionLost
  }

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

  /// Sends all pending acknowledgements.
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

  /// Requests the number of waiting tasks, unless that is pending; `declared` is the event of the reply.
  func requestCount() throws(AMQPError) {
    if isConsuming, !requests.contains(.counting) { try ask(.counting) }
  }

  /// The queue's status; nil until the broker has replied, and `.some(nil)` when the queue is gone.
  func lookAtQueue() throws(AMQPError) -> Queue.Status?? {
    if let status = look {
      look = nil
      return status
    }
    if !requests.isWaiting { try ask(.looking) }
    return nil
  }

  /// Closes the connection when the broker has acted on all settlements, after `closeTimeout`, or at a second signal.
  func close() {
    let deadline = Deadline.after(Self.closeTimeout)
    // With a small prefetch, the broker acts on earlier acknowledgements before it delivers more.
    let prefetch = Int(prefetch)
    if settlements > Self.fewSettlements, prefetch == 0 || prefetch > Self.fewSettlements {
      connection.settle(queue: options.queue, within: Self.closeTimeout)
    }
    connection.close(within: deadline.remaining ?? .zero)
  }

  /// Closes the connection when the broker has read what was sent, or at `deadline`; signals do not end the wait.
  func close(by deadline: Deadline) {
    connection.close(within: deadline.remaining ?? .zero, isInterruptible: false)
  }
}
