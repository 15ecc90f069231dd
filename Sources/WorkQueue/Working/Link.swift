internal import AMQP

/// The worker's connection to the queue: it is made again when it is lost, and so is a consumer that the broker has
/// cancelled.
struct Link: ~Copyable {
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private var subscription: Subscription?
  /// The next one, while that is being opened.
  private var attempt: SubscriptionAttempt?
  private var backoff = Backoff()
  private var nextAttempt = Deadline.never
  /// When the broker will have been away for too long.
  private var reconnectEnd = Deadline.never
  private(set) var timeLimit = ConsumerTimeout()
  /// Whether events may have come in while the connection was opened.
  private var mayHoldEvents = false

  init(_ context: WorkerContext) {
    self.context = context
  }

  // MARK: Connecting

  /// Connects for the first time, or finds out when to try again: `nextDeadline(isStopping:)`.
  ///
  /// - Parameter end: until when a broker that is away is tried again.
  /// - Throws: why it cannot be connected.
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
      nextAttempt = .now  // by a signal that may not ask to stop
    } catch {
      guard error.isTransient, !end.hasPassed else { throw error }
      nextAttempt = min(.after(backoff.delay()), end)
      report(.unreachable(error, retry: nextAttempt.remaining))
    }
  }

  /// Notes the time limit that holds for tasks, and reports one that does not fit the options.
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

  /// Connects again when it is time to, as far as possible without blocking.
  ///
  /// - Returns: whether it has.
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

  /// What the loss of a connection means.
  struct Loss {
    /// How many results the broker did not get.
    let results: Int
    /// Whether there was a connection: what it delivered is void.
    let isNew: Bool
    /// Whether none will be made again.
    let isFinal: Bool
  }

  /// Takes note that the connection is gone, or could not be made again, while `running` tasks are worked on; with
  /// `isStopping`, no other is needed.
  mutating func lose(_ error: AMQPError, running: Int, isStopping: Bool) -> Loss {
    let isNew = subscription != nil
    // The signal itself is reported, and ends the attempts.
    if error.kind == .interrupted && !isNew { return Loss(results: 0, isNew: false, isFinal: false) }
    let results = subscription?.lostResults ?? 0
    subscription = nil
    if isNew, let limit = options.reconnectsFor { reconnectEnd = .after(limit) }
    let delay = backoff.delay()
    let isFinal = !error.isTransient || reconnectEnd.hasPassed
    // The last attempt comes at the end of the time for it, not long before.
    nextAttempt = min(.after(delay), reconnectEnd)
    let retry = isFinal || isStopping ? nil : nextAttempt.remaining
    if isNew {
      report(.lost(error, running: running, results: results, retry: retry))
    } else if !isFinal {
      report(.unreachable(error, retry: retry))
    }
    return Loss(results: results, isNew: isNew, isFinal: isFinal)
  }

  /// Gives the connection up without a word to the broker, which redelivers what is unacknowledged.
  mutating func drop() {
    subscription = nil
  }

  /// Closes the connection when the broker has acted on all that it was told.
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

  /// When something is due, if nothing happens before; with `isStopping`, no other connection is needed.
  ///
  /// While events are not read, an answer may have arrived.
  mutating func nextDeadline(isStopping: Bool, isReading: Bool = true) -> Deadline {
    if let deadline = attempt?.nextDeadline { return deadline }
    guard let subscription else { return isStopping ? .never : min(nextAttempt, reconnectEnd) }
    let service = subscription.serviceInterval.map { .after($0) } ?? Deadline.never
    return isReading ? min(service, subscription.requests.deadline) : service
  }

  /// Watches the socket, for input only where it is wanted.
  mutating func watch(on loop: inout EventLoop, forReading: Bool) {
    if let descriptor = attempt?.descriptor {
      loop.watch(descriptor, forWriting: attempt?.waitsForWriting == true)
    }
    guard let subscription else { return }
    loop.watch(subscription.descriptor, forReading: forReading, forWriting: subscription.waitsForWriting)
  }

  // MARK: Events

  /// The next event, and whether more may follow without a look at the socket.
  mutating func nextEvent() throws(AMQPError) -> (event: Event, hasMore: Bool)? {
    guard let event = try subscription?.nextEvent() else {
      mayHoldEvents = false
      return nil
    }
    let hasMore = subscription?.mayHoldEvents == true
    if !hasMore { mayHoldEvents = false }
    return (event, hasMore)
  }

  /// Sends a heartbeat if one is due, where events are not read for now.
  mutating func sendHeartbeat() {
    subscription?.sendHeartbeat()
  }

  /// Whether `nextEvent()` may have something although the socket has nothing.
  var holdsEvents: Bool { mayHoldEvents }

  /// Learns why the broker has cancelled a consumer; nil without a connection.
  func cancelled(_ consumer: String) -> Subscription.Cancellation? { subscription?.cancelled(consumer) }

  /// Learns the broker's time limit from its reason for closing the channel, if that was why.
  mutating func learnTimeLimit(from error: AMQPError) -> ConsumerTimeout.Cause? {
    timeLimit.learn(from: error)
  }

  /// Removes consumers that the broker keeps, and might give tasks to.
  mutating func forgetRetired() throws(AMQPError) {
    try subscription?.forgetRetired()
  }

  // MARK: The queue

  /// Begins to consume, if it does not; `consuming` is the event when it does.
  func consume() throws(AMQPError) { try subscription?.consume() }

  /// Lets the broker hand out as many tasks as before beside those that are held until the worker stops.
  func makeRoom(forHeld count: Int) throws(AMQPError) {
    try subscription?.makeRoom(forHeld: count)
  }

  mutating func stopConsuming() throws(AMQPError) {
    attempt = nil
    guard isConsuming else { return }
    try subscription?.stopConsuming()
  }

  /// Asks how many tasks wait; the answer comes as an event.
  mutating func requestCount() throws(AMQPError) {
    try subscription?.requestCount()
  }

  /// What the broker says of the queue, which is nil when it is gone; nil until it has answered.
  func lookAtQueue() throws(AMQPError) -> Queue.Status?? { try subscription?.lookAtQueue() ?? nil }

  /// Whether something depends on an answer of the broker's: to look, to consume or to stop that.
  var awaitsAnswer: Bool { subscription?.requests.isWaiting == true }

  // MARK: Settling

  /// Whether the broker still waits for what becomes of this task.
  func holds(_ tag: Delivery.Tag) -> Bool { subscription?.holds(tag) == true }

  /// Whether the present channel has delivered the task.
  func hasDelivered(_ tag: Delivery.Tag) -> Bool { subscription?.session == tag.session }

  /// Notes that a task is done; the broker is told at the next `flush()`.
  mutating func finished(_ tag: Delivery.Tag) {
    subscription?.finished(tag)
  }

  /// Requeues a task that did not fail.
  mutating func requeue(_ tag: Delivery.Tag) throws(AMQPError) {
    try subscription?.release(tag)
  }

  /// Requeues a task that failed, or has the broker drop it.
  mutating func reject(_ tag: Delivery.Tag, requeue: Bool) throws(AMQPError) {
    try subscription?.reject(tag, requeue: requeue)
  }

  /// Tells the broker of all that is done.
  mutating func flush() throws(AMQPError) {
    try subscription?.flush()
  }
}
