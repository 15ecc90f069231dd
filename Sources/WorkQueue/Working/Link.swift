internal import AMQP

/// The worker's connection and consumer: reconnects after a lost connection, and consumes again after the broker has
/// cancelled the consumer.
struct Link: ~Copyable {
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private var subscription: Subscription?
  /// The next subscription, while it is being opened.
  private var attempt: SubscriptionAttempt?
  private var backoff = Backoff()
  private var nextAttempt = Deadline.never
  /// When to stop trying to reconnect.
  private var reconnectEnd = Deadline.never
  private(set) var timeLimit = ConsumerTimeout()
  /// Whether events may be buffered; some may arrive while the connection is opened.
  private var mayHoldEvents = false

  init(_ context: WorkerContext) {
    self.context = context
  }

  // MARK: Connecting

  /// Connects for the first time, or schedules the next attempt (`nextDeadline(isStopping:)`).
  ///
  /// - Parameter end: until when an unreachable broker is tried again.
  /// - Throws: why it cannot connect.
  mutating func connectFirst(until end: Deadline) throws(AMQPError) {
    do throws(AMQPError) {
      var attempt = SubscriptionAttempt(context)
      let first = try attempt.finish()
      report(.waiting(broker: first.broker, address: first.address))
      warn(of: first)
      subscription = first
      backoff.reset()
      mayHoldEvents = true
    } catch  where error.kind == .interrupted {
      nextAttempt = .now  // the signal may not ask to stop
    } catch {
      guard error.isTransient, !end.hasPassed else { throw error }
      nextAttempt = min(.after(backoff.delay()), end)
      report(.unreachable(error, retry: nextAttempt.remaining))
    }
  }

  /// Notes the consumer timeout that applies, and reports options that the broker does not fit.
  private mutating func warn(of new: Subscription) {
    if options.policy.requeuesForEver, new.version?.limitsDeliveries == true {
      report(.requeuesForEver(broker: new.broker))
    }
    if new.knowsTimeouts { return timeLimit.asked(for: new.askedTimeout) }
    guard options.command?.timeout != nil, let needed = options.neededTimeout, let version = new.version,
      needed > ConsumerTimeout.usual
    else { return }
    let broker = "RabbitMQ \(version.major).\(version.minor)"
    report(.timeoutTooShort(broker: broker, needed: needed, usual: ConsumerTimeout.usual))
  }

  /// Reconnects when an attempt is due, as far as possible without blocking.
  ///
  /// - Returns: whether it has reconnected.
  mutating func reconnectIfDue() throws(AMQPError) -> Bool {
    guard subscription == nil else { return false }
    if attempt == nil {
      guard nextAttempt.hasPassed else { return false }
      attempt = SubscriptionAttempt(context, asksForTimeout: !timeLimit.isRefused)
    }
    let new: Subscription
    do throws(AMQPError) {
      guard let next = try attempt?.advance() else { return false }
      new = next
    } catch {
      attempt = nil
      throw error
    }
    attempt = nil
    mayHoldEvents = true
    report(.reconnected(broker: new.broker, address: new.address))
    if new.knowsTimeouts { timeLimit.asked(for: new.askedTimeout) }
    subscription = new
    backoff.reset()
    reconnectEnd = .never
    return true
  }

  /// The consequences of a lost connection.
  struct Loss {
    /// Number of results that the broker did not receive.
    let results: Int
    /// Whether there was a connection: its deliveries are now stale.
    let isNew: Bool
    /// Whether there is no further attempt.
    let isFinal: Bool
  }

  /// Handles a lost connection, or a failed attempt to reconnect.
  ///
  /// `running` is the number of running tasks; with `isStopping`, no further connection is needed.
  mutating func lose(_ error: AMQPError, running: Int, isStopping: Bool) -> Loss {
    let isNew = subscription != nil
    // The signal itself is reported, and ends the attempts.
    if error.kind == .interrupted && !isNew { return Loss(results: 0, isNew: false, isFinal: false) }
    let results = subscription?.lostResults ?? 0
    subscription = nil
    if isNew, let limit = options.reconnectsFor { reconnectEnd = .after(limit) }
    let delay = backoff.delay()
    let isFinal = !error.isTransient || reconnectEnd.hasPassed
    // The last attempt is at the end of the limit, not long before it.
    nextAttempt = min(.after(delay), reconnectEnd)
    let retry = isFinal || isStopping ? nil : nextAttempt.remaining
    if isNew {
      report(.lost(error, running: running, results: results, retry: retry))
    } else if !isFinal {
      report(.unreachable(error, retry: retry))
    }
    return Loss(results: results, isNew: isNew, isFinal: isFinal)
  }

  /// Closes the socket only; the broker redelivers unacknowledged tasks.
  mutating func drop() {
    subscription = nil
  }

  /// Closes the connection when the broker has acted on everything that was sent.
  mutating func close() {
    subscription?.close()
    subscription = nil
  }

  /// Closes the connection when the broker has read what was sent, or at `deadline`.
  mutating func close(by deadline: Deadline) {
    subscription?.close(by: deadline)
    subscription = nil
  }

  // MARK: Waiting

  var isConnected: Bool { subscription != nil }
  var isConsuming: Bool { subscription?.isConsuming == true }
  var address: Address? { subscription?.address }

  /// When to act if no event arrives before; with `isStopping`, no further connection is needed.
  ///
  /// Without `isReading`, requests do not time out: their replies may be unread.
  mutating func nextDeadline(isStopping: Bool, isReading: Bool = true) -> Deadline {
    if let deadline = attempt?.nextDeadline { return deadline }
    guard let subscription else { return isStopping ? .never : min(nextAttempt, reconnectEnd) }
    let service = subscription.nextService
    return isReading ? min(service, subscription.requests.deadline) : service
  }

  /// Watches the socket, for input only with `forReading`.
  mutating func watch(on loop: inout EventLoop, forReading: Bool) {
    if let descriptor = attempt?.descriptor {
      loop.watch(descriptor, forWriting: attempt?.waitsForWriting == true)
    }
    guard let subscription else { return }
    loop.watch(subscription.descriptor, forReading: forReading, forWriting: subscription.waitsForWriting)
  }

  // MARK: Events

  /// The next event, and whether more events may be buffered.
  mutating func nextEvent() throws(AMQPError) -> (event: Event, hasMore: Bool)? {
    guard let event = try subscription?.nextEvent() else {
      mayHoldEvents = false
      return nil
    }
    let hasMore = subscription?.mayHoldEvents == true
    if !hasMore { mayHoldEvents = false }
    return (event, hasMore)
  }

  /// Sends a heartbeat if one is due, while events are not read.
  mutating func sendHeartbeat() {
    subscription?.sendHeartbeat()
  }

  /// Whether `nextEvent()` may return an event although the socket is not readable.
  var holdsEvents: Bool { mayHoldEvents }

  /// Why the broker has cancelled a consumer; nil without a connection.
  func cancelled(_ consumer: String) -> Subscription.Cancellation? { subscription?.cancelled(consumer) }

  /// Learns the broker's time limit from its reason for closing the channel, if that was the reason.
  mutating func learnTimeLimit(from error: AMQPError) -> ConsumerTimeout.Cause? {
    timeLimit.learn(from: error)
  }

  /// Removes cancelled consumers that the broker keeps, and might deliver tasks to.
  mutating func forgetRetired() throws(AMQPError) {
    try subscription?.forgetRetired()
  }

  // MARK: The queue

  /// Starts to consume, unless it does; `consuming` is the event when it does.
  func consume() throws(AMQPError) { try subscription?.consume() }

  /// Raises the prefetch by the number of tasks that are held until the worker stops.
  func makeRoom(forHeld count: Int) throws(AMQPError) {
    try subscription?.makeRoom(forHeld: count)
  }

  mutating func stopConsuming() throws(AMQPError) {
    attempt = nil
    guard isConsuming else { return }
    try subscription?.stopConsuming()
  }

  /// Requests the number of waiting tasks; the reply is an event.
  mutating func requestCount() throws(AMQPError) {
    try subscription?.requestCount()
  }

  /// The queue's status; nil until the broker has replied, and `.some(nil)` when the queue is gone.
  func lookAtQueue() throws(AMQPError) -> Queue.Status?? { try subscription?.lookAtQueue() ?? nil }

  /// Whether the reply to a request is awaited: about the queue, or to start or stop consuming.
  var awaitsAnswer: Bool { subscription?.requests.isWaiting == true }

  // MARK: Settling

  /// Whether the broker still waits for the ack, nack or reject of this task.
  func holds(_ tag: Delivery.Tag) -> Bool { subscription?.holds(tag) == true }

  /// Why the broker does not wait for the ack, nack or reject of this task; nil when it does.
  func staleness(of tag: Delivery.Tag) -> Staleness? {
    guard options.acknowledges else { return nil }
    guard let subscription else { return .connectionLost }
    return subscription.staleness(of: tag)
  }

  /// Notes that a task is done; the next `flush()` acknowledges it.
  mutating func finished(_ tag: Delivery.Tag) {
    subscription?.finished(tag)
  }

  /// Requeues a task that did not fail.
  mutating func requeue(_ tag: Delivery.Tag) throws(AMQPError) {
    try subscription?.release(tag)
  }

  /// Requeues a task that failed, or tells the broker to drop it.
  mutating func reject(_ tag: Delivery.Tag, requeue: Bool) throws(AMQPError) {
    try subscription?.reject(tag, requeue: requeue)
  }

  /// Sends all pending acknowledgements.
  mutating func flush() throws(AMQPError) {
    try subscription?.flush()
  }
}
