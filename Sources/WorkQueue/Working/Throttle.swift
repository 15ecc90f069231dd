internal import AMQP

/// When tasks may begin: not more of them in a time than wanted, and none for a while after many have failed in a row.
package struct Throttle {
  /// No task is held for longer than this while it may not begin.
  private static let longestHold = Duration.seconds(60)

  private let rate: Rate?
  private let pauseAfter: Int?
  private let policy: RetryPolicy
  /// When the next task would begin at an even rate; a second's worth of tasks may come before that.
  private var evenTime = Deadline.now
  /// How many tasks have failed in a row.
  private var failures = 0
  /// When a task is tried again, after too many have failed; nil is no pause.
  private var probeTime: Deadline?
  private var probes = 0
  /// The number of the task that is tried.
  private var probe: Int?

  init(_ rate: Rate?, pauseAfter: Int?, _ policy: RetryPolicy) {
    (self.rate, self.pauseAfter, self.policy) = (rate, pauseAfter, policy)
  }

  /// When the next task may begin; `never` while one is tried.
  private var nextStart: Deadline {
    let rated = rate.map { evenTime + ($0.interval - $0.burst) } ?? .now
    guard let probeTime else { return rated }
    return probe == nil ? max(rated, probeTime) : .never
  }

  var mayBegin: Bool { isIdle || nextStart.hasPassed }

  /// Whether there is nothing to keep tasks from beginning.
  private var isIdle: Bool { rate == nil && probeTime == nil }

  /// When a task may begin that may not now; `never` without one.
  var nextDeadline: Deadline { mayBegin ? .never : nextStart }

  /// Whether the next task may begin so late that nobody else should wait for us: no task is to be received.
  var holds: Bool {
    guard !isIdle else { return false }
    return nextStart > .after(Self.longestHold) || probeTime.map { !$0.hasPassed } == true || probe != nil
  }

  /// A task of this number has begun.
  mutating func began(_ number: Int) {
    if let rate { evenTime = max(evenTime, .now) + rate.interval }
    if probeTime != nil { probe = number }
  }

  /// Whether the task of this number was begun to see whether tasks succeed again: its failure is no attempt of its.
  func isProbe(_ number: Int) -> Bool { probe == number }

  /// What the end of a task has changed.
  enum Change: Equatable {
    /// Tasks are not begun for that time.
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

  /// The task that is tried has come to no end here.
  mutating func forgetProbe(_ number: Int) {
    if probe == number { probe = nil }
  }
}

extension Throttle {
  /// So many tasks in a time.
  package struct Rate: Equatable, Sendable {
    package let tasks: Int
    package let time: Duration

    package init(_ tasks: Int, in time: Duration) {
      (self.tasks, self.time) = (tasks, time)
    }

    /// Between two tasks.
    var interval: Duration { time / tasks }
    /// The time of those that may begin together: a second, or one task's.
    var burst: Duration { max(.seconds(1), interval) }

    /// How many tasks may begin in the longest time that one is held.
    package var prefetch: Int { max(1, Int(min(Throttle.longestHold / interval, 65_535))) }
  }
}
