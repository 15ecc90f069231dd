internal import AMQP

/// The tasks that are being replaced by copies at the end of their queue, until the broker has confirmed the
/// copies.
///
/// A task whose start is recorded by that keeps its job slot for a moment, so that those that came with it
/// are not taken for suspects, too. None may keep others from being run: what is not confirmed in time is
/// given up, and run without.
struct Replacements {
  /// How long a recorded start keeps a job slot.
  private static let slotTime = Duration.seconds(1)
  /// How long the broker has for a confirm; a blocked one needs longer.
  private static let timeLimit = Duration.seconds(5)

  private struct Entry {
    let task: Worker.Waiting
    let slotEnd: Deadline
    let end: Deadline
  }

  private var entries: [Delivery.Tag: Entry] = [:]
  /// How many copies were confirmed.
  private(set) var confirmed = 0

  /// How many job slots are kept.
  var slots: Int { entries.isEmpty ? 0 : entries.values.count { !$0.slotEnd.hasPassed } }

  /// When a slot is free again or a copy is given up, if nothing comes in before.
  var nextDeadline: Deadline {
    let now = Deadline.now
    return entries.values.map { $0.slotEnd > now ? min($0.slotEnd, $0.end) : $0.end }.min() ?? .never
  }

  /// Notes that a copy of the task is being published; `recordsStart` when that is instead of a run.
  mutating func add(_ task: Worker.Waiting, recordsStart: Bool) {
    let now = Deadline.now
    entries[task.delivery.tag] = Entry(
      task: task, slotEnd: recordsStart ? now + Self.slotTime : now, end: now + Self.timeLimit)
  }

  /// The copy was confirmed.
  mutating func confirm(_ tag: Delivery.Tag) {
    if entries.removeValue(forKey: tag) != nil { confirmed += 1 }
  }

  /// The copy was refused, or must not be waited for any longer.
  ///
  /// - Returns: the task, which may be run or returned; nil when it is not one of these.
  mutating func giveUp(_ tag: Delivery.Tag) -> Worker.Waiting? {
    entries.removeValue(forKey: tag)?.task
  }

  /// The tasks whose copies were not confirmed in time.
  var overdue: [Delivery.Tag] { entries.filter { $0.value.end.hasPassed }.map(\.key) }

  /// Forgets the tasks that the broker redelivers anyway.
  mutating func forget(where isStale: (Delivery.Tag) -> Bool) {
    entries = entries.filter { !isStale($0.key) }
  }
}
