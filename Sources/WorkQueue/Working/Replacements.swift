internal import AMQP

/// The tasks that are being replaced by copies at the end of their queue, until the broker has confirmed the
/// copies.
///
/// None may keep others from being run: what is not confirmed in time is given up, and run without.
struct Replacements {
  /// How long the broker has for a confirm; a blocked one needs longer.
  private static let timeLimit = Duration.seconds(5)
  /// Tasks that come within this time of one another may have been in the same worker before.
  private static let closeTogether = Duration.seconds(1)

  private struct Entry {
    let task: ReceivedTask
    let end: Deadline
  }

  private var entries: [Delivery.Tag: Entry] = [:]
  /// In the order of adding, which is that of their ends; some may be confirmed.
  private var waiting = Fifo<Delivery.Tag>()
  private var recorded: [Deadline] = []
  /// How many copies were confirmed at the end of the queue.
  private(set) var confirmed = 0
  private var lastConfirm: Deadline?

  /// When a copy is given up, if it is not confirmed before.
  var nextDeadline: Deadline {
    mutating get {
      while let tag = waiting.first {
        if let entry = entries[tag] { return entry.end }
        _ = waiting.popFirst()
      }
      return .never
    }
  }

  /// Whether a copy is not confirmed yet: then none is run, because it could be the death of this worker
  /// before the original is acknowledged, and both would come back.
  var isPending: Bool { !entries.isEmpty }

  /// How many starts were recorded a moment ago.
  ///
  /// When a worker dies, all its tasks come back together, and no more of them were being run than it had
  /// jobs: those that come first. The others must not be taken for suspects.
  var recentStarts: Int { recorded.count { !($0 + Self.closeTogether).hasPassed } }

  /// Notes that a copy of the task is being published; `recordsStart` when that is instead of a run.
  mutating func add(_ task: ReceivedTask, recordsStart: Bool) {
    entries[task.delivery.tag] = Entry(task: task, end: .after(Self.timeLimit))
    waiting.append(task.delivery.tag)
    guard recordsStart else { return }
    recorded.removeAll { ($0 + Self.closeTogether).hasPassed }
    recorded.append(.now)
  }

  /// The copy was confirmed: of one of these tasks, or of one that was requeued.
  mutating func confirm(_ tag: Delivery.Tag) {
    entries[tag] = nil
    confirmed += 1
    lastConfirm = .now
  }

  /// Whether a copy was put into the queue a moment ago, whatever the broker says of the tasks that wait.
  var isInQueue: Bool { lastConfirm.map { !($0 + Self.closeTogether).hasPassed } ?? false }

  /// The copy was refused, or must not be waited for any longer.
  ///
  /// - Returns: the task, which may be run or returned; nil when it is not one of these.
  mutating func giveUp(_ tag: Delivery.Tag) -> ReceivedTask? {
    entries.removeValue(forKey: tag)?.task
  }

  /// Gives up the copies that were not confirmed in time.
  ///
  /// - Returns: the tags of their tasks.
  mutating func takeOverdue() -> [Delivery.Tag] {
    var tags: [Delivery.Tag] = []
    while nextDeadline.hasPassed, let tag = waiting.popFirst() { tags.append(tag) }
    return tags
  }

  /// Forgets the tasks that the broker redelivers anyway.
  mutating func forget(where isStale: (Delivery.Tag) -> Bool) {
    entries = entries.filter { !isStale($0.key) }
  }
}
