internal import AMQP

/// Whether the worker stops, why, and how long it waits for what is unfinished.
struct Shutdown {
  /// How long copies that cannot be published are waited for when nothing else is left: after a signal, and at the end
  /// of a bounded run.
  private static let (copyTimeout, boundedCopyTimeout) = (Duration.seconds(5), Duration.seconds(30))

  private(set) var reason: StopReason?
  private var graceEnd = Deadline.never
  private var copiesEnd = Deadline.never

  var isUnderway: Bool { reason != nil }
  var nextDeadline: Deadline { min(graceEnd, copiesEnd) }

  /// Whether a signal has asked to stop: the next one ends everything.
  private(set) var hasSignal = false

  /// Begins to stop; a failure takes the place of every other reason, and a signal that of a bound.
  ///
  /// After a signal, running tasks have `grace`; nil is as long as they like.
  ///
  /// - Returns: whether that is news: the first reason, or the first signal.
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

  /// Whether the running tasks have had their time; true once.
  mutating func endsGrace() -> Bool {
    guard graceEnd.hasPassed else { return false }
    graceEnd = .never
    return true
  }

  /// Whether copies have been waited for long enough, when nothing else is left.
  mutating func givesUpCopies() -> Bool {
    if copiesEnd == .never {
      copiesEnd = .after(reason == .bound ? Self.boundedCopyTimeout : Self.copyTimeout)
    }
    return copiesEnd.hasPassed
  }
}
