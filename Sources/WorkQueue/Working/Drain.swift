internal import AMQP

/// When a worker that has bounds stops by itself: after a time, after a time without a task, or when its queue is
/// empty.
struct Drain {
  /// How long nothing must have happened before the queue is looked at: the next task may be in flight.
  private static let lookDelay = Duration.milliseconds(20)
  /// How often a queue that is not empty is looked at.
  private static let lookInterval = Duration.milliseconds(250)
  /// How often a doubtful answer is asked for anew: a stream has no other.
  private static let mostDoubts = 40

  /// What the worker holds.
  struct State {
    /// Whether nothing is received, running or to be published.
    let isIdle: Bool
    /// How many tasks were begun or replaced.
    let begun: Int
    /// Whether a task was requeued a moment ago: it may be neither counted nor redelivered yet.
    let expectsRequeued: Bool
  }

  private let bounds: Bounds
  private let end: Deadline
  private var idleSince = Deadline.now
  private var nextLook = Deadline.now
  /// How many tasks were begun or replaced when the queue was last seen empty.
  private var begunAtLook = 0
  /// How often in a row the broker did not know how many tasks wait.
  private var ambiguousReplies = 0

  init(_ bounds: Bounds) {
    self.bounds = bounds
    end = bounds.maxTime.map { .after($0) } ?? .never
  }

  /// When it must be asked, if nothing happens before; with `awaitsAnswer`, the broker's answer to a look comes first.
  func nextDeadline(isIdle: Bool, awaitsAnswer: Bool) -> Deadline {
    guard isIdle else { return end }
    var moment = end
    if let timeout = bounds.idleTimeout { moment = min(moment, idleSince + timeout) }
    if bounds.drains && !awaitsAnswer { moment = min(moment, nextLook) }
    return moment
  }

  /// Counts the time without a task anew.
  mutating func reset() {
    idleSince = .now
  }

  /// Looks at the queue if it is time to.
  ///
  /// - Returns: whether the worker is to stop.
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

  /// Looks whether the queue is empty.
  ///
  /// The count that the broker gives does not hold what it is just sending us; so the consumer is ended
  /// first, what arrived until then is worked on, and only a second look decides. A busy quorum queue has
  /// the broker say 0 tasks and 0 consumers for want of an answer: while we consume, that cannot be.
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

  /// When a retry that is waited for is due; nil when none is.
  private func nextRetry(_ calendar: RetryCalendar) -> Deadline? {
    if bounds.waitsForRetries { return calendar.nextExpected() }
    guard let timeout = bounds.idleTimeout, calendar.expects(within: timeout) else { return nil }
    return calendar.next()
  }
}
