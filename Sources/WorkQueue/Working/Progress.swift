internal import AMQP

/// When to report the worker's state, and how many tasks wait in its queue.
struct Progress {
  private let interval: Duration?
  private let countInterval: Duration?
  /// When to report the state next.
  private(set) var nextDeadline: Deadline
  private var nextCount = Deadline.now
  /// Number of waiting tasks in the broker's last reply, less those delivered since.
  private(set) var waiting: Int?

  init(_ options: Worker.Options) {
    (interval, countInterval) = (options.progressInterval, options.countInterval)
    nextDeadline = interval == nil ? .never : .now
  }

  mutating func delivered() { waiting = waiting.map { max(0, $0 - 1) } }

  mutating func counted(_ status: Queue.Status) {
    // We are a consumer, so a reply with no consumers is wrong: a busy quorum queue reports 0 of both.
    if status.consumers > 0 { waiting = Int(status.waiting) }
  }

  /// Whether to report the state now; true once in each interval.
  mutating func isDue() -> Bool {
    guard let interval, nextDeadline.hasPassed else { return false }
    nextDeadline = .after(interval)
    return true
  }

  /// Whether to request the number of waiting tasks now; true once in each interval.
  mutating func isCountDue() -> Bool {
    guard let countInterval, nextCount.hasPassed else { return false }
    nextCount = .after(countInterval)
    return true
  }
}
