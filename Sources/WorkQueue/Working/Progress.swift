internal import AMQP

/// When the worker reports its state, and how many tasks wait in its queue.
struct Progress {
  private let interval: Duration?
  private let countInterval: Duration?
  /// When the state is reported next.
  private(set) var nextDeadline: Deadline
  private var nextCount = Deadline.now
  /// How many tasks waited when the broker was last asked, less those that came since.
  private(set) var waiting: Int?

  init(_ options: Worker.Options) {
    (interval, countInterval) = (options.progressInterval, options.countInterval)
    nextDeadline = interval == nil ? .never : .now
  }

  mutating func delivered() { waiting = waiting.map { max(0, $0 - 1) } }

  mutating func counted(_ status: Queue.Status) {
    // While we consume, no consumer is no answer: a busy quorum queue gives none.
    if status.consumers > 0 { waiting = Int(status.waiting) }
  }

  /// Whether the state is to be reported; true once in each interval.
  mutating func isDue() -> Bool {
    guard let interval, nextDeadline.hasPassed else { return false }
    nextDeadline = .after(interval)
    return true
  }

  /// Whether the broker is to be asked how many tasks wait; true once in each interval.
  mutating func isCountDue() -> Bool {
    guard let countInterval, nextCount.hasPassed else { return false }
    nextCount = .after(countInterval)
    return true
  }
}
