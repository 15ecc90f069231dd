internal import AMQP

/// Whether and why the worker stops, and how long it waits for unfinished tasks.
struct Shutdown {
  /// How long to wait for copies that cannot be published when nothing else is left: after a signal, and at the end
  /// of a bounded run.
  private static let (copyTimeout, boundedCopyTimeout) = (Duration.seconds(5), Duration.seconds(30))

  private(set) var reason: StopReason?
  private var graceEnd = Deadline.never
  private var copiesEnd = Deadline.never

  var isUnderway: Bool { reason != nil }
  var nextDeadline: Deadline {
    min(graceEnd, min(copiesEnd, secondSignal == nil ? .never : Interruption.requestsEnd))
  }

  /// Whether a signal has asked to stop; the next one stops running tasks, too.
  private var hasSignal = false
  /// The second signal, if there were no tasks left.
  private var secondSignal: Int32?

  /// Begins to stop; a failure replaces every other reason, and a signal replaces a bound.
  ///
  /// After a signal, running tasks have `grace` to finish; nil means no limit.
  ///
  /// - Returns: whether this is the first reason, or the first signal.
  mutating func begin(_ reason: StopReason, grace: Duration?) -> Bool {
    let isFirst = self.reason == nil
    var isFirstSignal = false
    if case .signal = reason, !hasSignal {
      (isFirstSignal, hasSignal, copiesEnd) = (true, true, .never)
      if let grace { graceEnd = .after(grace) }
    }
    let replaces = reason.isFailure || self.reason == .bound && isFirstSignal
    if isFirst || replaces && self.reason?.isFailure != true { self.reason = reason }
    return isFirst || isFirstSignal
  }

  /// Whether the worker stops now, because of a second signal.
  ///
  /// timeout(1) sends its signal twice at once: without tasks, the broker has a moment to reply to the cancel.
  mutating func endsNow(by signal: Int32, isIdle: Bool) -> Bool {
    guard hasSignal else { return false }
    guard isIdle, secondSignal == nil else { return true }
    secondSignal = signal
    return false
  }

  /// The second signal, once the time for the broker's reply is over.
  var overdueSignal: Int32? { Interruption.hasEndedRequests ? secondSignal : nil }

  /// Whether the grace period is over; true only once.
  mutating func endsGrace() -> Bool {
    guard graceEnd.hasPassed else { return false }
    graceEnd = .never
    return true
  }

  /// Whether the wait for copies is over, when nothing else is left.
  mutating func givesUpCopies() -> Bool {
    if copiesEnd == .never {
      copiesEnd = .after(reason == .bound ? Self.boundedCopyTimeout : Self.copyTimeout)
    }
    return copiesEnd.hasPassed
  }
}
