internal import AMQP

/// When a worker leaves by itself.
package struct Bounds: Equatable, Sendable {
  /// After so many tasks.
  package var count: Int?
  /// As soon as nothing waits and nothing runs.
  package var drains = false
  /// After so long without a task.
  package var idleTimeout: Duration?
  /// After so long.
  package var maxTime: Duration?

  package init() {}

  /// Whether the run has an end of its own, and so an exit code that tells how the tasks went.
  package var isBounded: Bool { count != nil || drains || idleTimeout != nil || maxTime != nil }

  /// The prefetch that brings no more tasks than will be begun; 0 is no limit.
  func prefetch(_ wanted: UInt16) -> UInt16 {
    guard let count, count > 0, count <= Int(UInt16.max) else { return wanted }
    return wanted == 0 ? UInt16(count) : min(wanted, UInt16(count))
  }
}

/// When our own retries come back, so that a worker that drains the queue can wait for them.
struct RetryCalendar {
  /// A task comes back a little later than its time.
  private static let slack = Duration.seconds(1)

  private var moments: [Deadline] = []

  mutating func add(_ delay: Duration) {
    let now = Deadline.now
    moments.removeAll { $0 <= now }
    moments.append(now + delay + Self.slack)
  }

  /// Whether one of them comes back in `patience` from `now` at the latest.
  func expects(within patience: Duration, from now: Deadline = .now) -> Bool {
    let last = now + patience + Self.slack
    return moments.contains { $0 > now && $0 <= last }
  }

  /// When the next of them after `now` is back.
  func next(after now: Deadline = .now) -> Deadline {
    moments.filter { $0 > now }.min() ?? .never
  }
}
