internal import AMQP

/// When a worker with bounds stops by itself: after a time, after a time without a task, or when its queue is empty.
struct Drain {
  /// How long the worker must be idle before it looks at the queue: the next task may be in flight.
  private static let lookDelay = Duration.milliseconds(20)
  /// How often it looks at a queue that is not empty.
  private static let lookInterval = Duration.milliseconds(250)
  /// How often an ambiguous reply is requested again: a stream gives no other.
  private static let mostDoubts = 40

  /// The worker's tasks.
  struct State {
    /// Whether no task is received, running or to be published.
    let isIdle: Bool
    /// Number of tasks that were started or replaced.
    let begun: Int
    /// Whether a task was requeued just now: the broker may neither count nor redeliver it yet.
    let expectsRequeued: Bool
  }

  private let bounds: Bounds
  private let end: Deadline
  private var idleSince = Deadline.now
  private var nextLook = Deadline.now
  /// Number of tasks that were started or replaced when the queue was last seen empty.
  private var begunAtLook = 0
  /// How many replies in a row did not know the number of waiting tasks.
  private var ambiguousReplies = 0

  init(_ bounds: Bounds) {
    self.bounds = bounds
    end = bounds.maxTime.map { .after($0) } ?? .never
  }

  /// When to call `step` if no event arrives before; with `awaitsAnswer`, the reply about the queue arrives first.
  func nextDeadline(isIdle: Bool, awaitsAnswer: Bool) -> Deadline {
    guard isIdle else { return end }
    var moment = end
    if let timeout = bounds.idleTimeout { moment = min(moment, idleSince + timeout) }
    if bounds.drains && !awaitsAnswer { moment = min(moment, nextLook) }
    return moment
  }

  /// Restarts the time without a task.
  mutating func reset() {
    idleSince = .now
  }

  /// Looks at the queue if a look is due.
  ///
  /// - Returns: whether the worker should stop.
  mutating func step(
    on link: inout Link, _ state: State, _ calendar: RetryCalendar
  ) throws(AMQPError) -> Bool {
    guard bounds.isBounded else { return false }
    if end.hasPassed { return true }
    guard state.isIdle, link.isConnected else {
      (idleSince, nextLook) = (.now, .after(Self.lookDelay))
      return false
    }
    if let timeout = bounds.idleTimeout, (idleSince + timeout).hasPassed { return true }
    guard bounds.drains && nextLook.hasPassed else { return false }
    return try look(at: &link, state, calendar)
  }

  /// Checks whether the queue is empty.
  ///
  /// The broker's count does not include deliveries in flight. So the first empty reply ends the consumer, the worker
  /// processes what arrived until then, and only a second reply decides. A busy quorum queue that does not answer is
  /// reported with 0 tasks and 0 consumers, which cannot be true while we consume.
  private mutating func look(
    at link: inout Link, _ state: State, _ calendar: RetryCalendar
  ) throws(AMQPError) -> Bool {
    if let next = nextRetry(calendar) {
      try link.consume()
      nextLook = next
      return false
    }
    guard let answer = try link.lookAtQueue() else { return false }
    guard let found = answer else {
      nextLook = .after(Self.lookInterval)
      return !state.expectsRequeued  // the queue is gone
    }
    let (isConsuming, isEmpty) = (link.isConsuming, found.waiting == 0)
    if isConsuming, isEmpty, state.expectsRequeued {
      nextLook = .after(Self.lookInterval)
    } else if isConsuming, isEmpty, found.consumers == 0, ambiguousReplies < Self.mostDoubts {
      ambiguousReplies += 1
      nextLook = .after(Self.lookInterval)
    } else if isConsuming && isEmpty {
      (ambiguousReplies, begunAtLook) = (0, state.begun)
      try link.stopConsuming()
      nextLook = .now
    } else if isEmpty && state.begun == begunAtLook {
      return true
    } else {
      try link.consume()
      nextLook = isEmpty ? .now : .after(Self.lookInterval)
    }
    return false
  }

  /// When the next retry that the worker waits for is due; nil when there is none.
  private func nextRetry(_ calendar: RetryCalendar) -> Deadline? {
    if bounds.waitsForRetries { return calendar.nextExpected() }
    guard let timeout = bounds.idleTimeout, calendar.expects(within: timeout) else { return nil }
    return calendar.next()
  }
}
