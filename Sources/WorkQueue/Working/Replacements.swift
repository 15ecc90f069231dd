internal import AMQP

/// The tasks that are being replaced by copies at the end of their queue, until the broker has confirmed the
/// copies.
///
/// None may block other tasks: a copy that is not confirmed in time is given up, and its task runs without it.
struct Replacements {
  /// The time limit for a confirm, also while the broker blocks publishers.
  private static let timeLimit = Duration.seconds(5)
  /// Tasks that arrive within this time of one another may come from the same dead worker.
  private static let closeTogether = Duration.seconds(1)

  private struct Entry {
    let task: ReceivedTask
    let end: Deadline
  }

  private var entries: [Delivery.Tag: Entry] = [:]
  /// In the order of adding, which is that of their deadlines; some may be confirmed already.
  private var waiting = Fifo<Delivery.Tag>()
  private var recorded: [Deadline] = []
  /// Number of confirmed copies.
  private(set) var confirmed = 0
  private var lastConfirm: Deadline?

  /// When the next copy is given up, if it is not confirmed before.
  var nextDeadline: Deadline {
    mutating get {
      while let tag = waiting.first {
        if let entry = entries[tag] { return entry.end }
        _ = waiting.popFirst()
      }
      return .never
    }
  }

  /// Whether a copy is unconfirmed: no suspicious task is run then, because it could kill this worker before the
  /// original is acknowledged, and both would be redelivered.
  var isPending: Bool { !entries.isEmpty }

  /// Number of starts recorded recently.
  ///
  /// When a worker dies, the broker redelivers all its tasks together. Only the first of them, as many as the worker
  /// had jobs, were running; the others are not suspicious.
  var recentStarts: Int { recorded.count { !($0 + Self.closeTogether).hasPassed } }

  /// Notes that a copy of the task is being published; with `recordsStart` the copy is made instead of a run.
  mutating func add(_ task: ReceivedTask, recordsStart: Bool) {
    entries[task.delivery.tag] = Entry(task: task, end: .after(Self.timeLimit))
    waiting.append(task.delivery.tag)
    guard recordsStart else { return }
    recorded.removeAll { ($0 + Self.closeTogether).hasPassed }
    recorded.append(.now)
  }

  /// A copy was confirmed, of one of these tasks or of one that was requeued.
  mutating func confirm(_ tag: Delivery.Tag) {
    entries[tag] = nil
    confirmed += 1
    lastConfirm = .now
  }

  /// Whether a copy was published to the queue recently, although the broker may not count it as waiting yet.
  var isInQueue: Bool { lastConfirm.map { !($0 + Self.closeTogether).hasPassed } ?? false }

  /// The copy was refused, or is given up.
  ///
  /// - Returns: the task, to be run or requeued; nil when it is not one of these.
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
