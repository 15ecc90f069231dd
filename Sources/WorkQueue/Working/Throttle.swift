internal import AMQP

/// When tasks may start: limits their rate, and pauses after a number of failures in a row.
package struct Throttle {
  /// No task is held for longer than this while it may not start.
  private static let longestHold = Duration.seconds(60)

  private let rate: Rate?
  private let pauseAfter: Int?
  private let policy: RetryPolicy
  /// When the next task would start at an even rate; a second's worth of tasks may start earlier.
  private var evenTime = Deadline.now
  /// Number of failures in a row.
  private var failures = 0
  /// When the next single task is tried during a pause; nil means no pause.
  private var probeTime: Deadline?
  private var probes = 0
  /// The number of the task that is being tried.
  private var probe: Int?

  init(_ rate: Rate?, pauseAfter: Int?, _ policy: RetryPolicy) {
    (self.rate, self.pauseAfter, self.policy) = (rate, pauseAfter, policy)
  }

  /// When the next task may start; `never` while one is being tried.
  private var nextStart: Deadline {
    let rated = rate.map { evenTime + ($0.interval - $0.burst) } ?? .now
    guard let probeTime else { return rated }
    return probe == nil ? max(rated, probeTime) : .never
  }

  var mayBegin: Bool { isIdle || nextStart.hasPassed }

  /// Whether there is neither a rate limit nor a pause.
  private var isIdle: Bool { rate == nil && probeTime == nil }

  /// When the next task may start, if it may not start now; else `never`.
  var nextDeadline: Deadline { mayBegin ? .never : nextStart }

  /// Whether the next start is so far away that no tasks should be held: the worker stops consuming.
  var holds: Bool {
    guard !isIdle else { return false }
    return nextStart > .after(Self.longestHold) || probeTime.map { !$0.hasPassed } == true || probe != nil
  }

  /// The task of this number was started.
  mutating func began(_ number: Int) {
    if let rate { evenTime = max(evenTime, .now) + rate.interval }
    if probeTime != nil { probe = number }
  }

  /// Whether the task of this number is the one being tried; its failure does not count as an attempt.
  func isProbe(_ number: Int) -> Bool { probe == number }

  /// The effect of a task's end.
  enum Change: Equatable {
    /// No tasks are started for this time.
    case paused(failures: Int, Duration)
    case resumed
  }

  /// A task has ended.
  mutating func ended(_ number: Int, isSuccess: Bool) -> Change? {
    guard let pauseAfter else { return nil }
    if isSuccess {
      let wasPaused = probeTime != nil
      (failures, probes, probeTime, probe) = (0, 0, nil, nil)
      return wasPaused ? .resumed : nil
    }
    failures += 1
    guard probe == number || probeTime == nil && failures >= pauseAfter else { return nil }
    probes += 1
    let delay = policy.delay(after: probes)
    (probeTime, probe) = (.after(delay), nil)
    return .paused(failures: failures, delay)
  }

  /// The task that was being tried has not ended here.
  mutating func forgetProbe(_ number: Int) {
    if probe == number { probe = nil }
  }
}

extension Throttle {
  /// A number of tasks per unit of time.
  package struct Rate: Equatable, Sendable {
    package let tasks: Int
    package let time: Duration

    package init(_ tasks: Int, in time: Duration) {
      (self.tasks, self.time) = (tasks, time)
    }

    /// The time between two tasks.
    var interval: Duration { time / tasks }
    /// The time whose tasks may start together: a second, or one task's interval.
    var burst: Duration { max(.seconds(1), interval) }

    /// How many tasks may start within the longest time that a task is held.
    package var prefetch: Int { max(1, Int(min(Throttle.longestHold / interval, 65_535))) }
  }
}
