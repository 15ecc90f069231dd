internal import AMQP

/// A running resident command and its tasks.
///
/// 1. Tasks are formatted when the pipe has space, not before.
/// 2. A task counts as started when the process has read its first byte.
final class ResidentProcess: Run {
  /// A task, and the offset in stdin where it begins; nil while it is not written.
  private struct Entry {
    let job: Job
    var start: Int?
  }

  /// Number of bytes that are kept ready for the pipe.
  private static let readyBytes = 65_536

  /// The count of start failures when it was started.
  let round: Int
  let input: TaskPipe
  private let queue: String
  private let format: TaskFormat
  /// The tasks without a result, the oldest first; nil for those in between that have one.
  private var entries: [Entry?] = []
  /// The indexes of the oldest task, and of the first that is not in the pipe.
  private var head = 0
  private var next = 0

  /// When its stdin was closed, which asks it to exit.
  private(set) var closed: Deadline?
  /// The task because of which it was asked to stop, and that task's outcome.
  var victim: (task: Int, outcome: Outcome)?
  /// Numbers of tasks without a result, of tasks given to it, and of results that it has written.
  private(set) var load = 0
  private(set) var given = 0
  private(set) var results = 0
  /// Since when its oldest task is the oldest.
  private(set) var oldestSince = Deadline.now

  init(number: Int, round: Int, _ child: Child, _ input: TaskPipe, queue: String, _ format: TaskFormat) {
    (self.round, self.input, self.queue, self.format) = (round, input, queue, format)
    super.init(number: number, child, started: .now)
  }

  /// Whether it gets tasks.
  var isWorking: Bool { closed == nil && !isEnding && end == nil }
  /// Since when it does nothing but end; nil while it has tasks, or waits for them.
  var idleEnd: Deadline? { load == 0 ? closed.map { max($0, oldestSince) } : nil }

  /// Closes its stdin; it may finish.
  func close(_ now: Deadline) {
    closed = now
    input.close()
  }

  /// The oldest task without a result.
  var oldest: Job? { head < entries.count ? entries[head]?.job : nil }

  func add(_ job: Job, _ now: Deadline) {
    if load == 0 { oldestSince = now }
    entries.append(Entry(job: job))
    (load, given) = (load + 1, given + 1)
  }

  /// Writes tasks to the pipe, as many as it accepts.
  func flush() {
    repeat {
      input.flush()
      var ready = 0
      while next < entries.count, ready < Self.readyBytes, !input.hasNoReader, !input.hasUnsent || ready > 0 {
        guard let job = entries[next]?.job else { break }
        let start = input.added
        entries[next]?.start = start
        input.append { format.append(job, queue: queue, to: &$0) }
        ready += input.added - start
        next += 1
      }
      if ready == 0 { return }
      input.flush()
    } while !input.hasUnsent && next < entries.count
  }

  /// Takes out the task that a line is for; nil when there is none.
  func take(_ number: Int?, _ now: Deadline) -> Job? {
    var index = head
    if let number {
      while index < next, entries[index]?.job.number != number { index += 1 }
    }
    guard index < next, let job = entries[index]?.job else { return nil }
    results += 1
    remove(index, now)
    return job
  }

  /// Takes out the oldest task.
  func takeOldest(_ now: Deadline) -> Job? {
    guard let job = oldest else { return nil }
    remove(head, now)
    return job
  }

  private func remove(_ index: Int, _ now: Deadline) {
    entries[index] = nil
    load -= 1
    guard index == head else { return }
    while head < entries.count, entries[head] == nil { head += 1 }
    next = max(next, head)
    oldestSince = now
    guard head == entries.count || head > 1024 && head > entries.count / 2 else { return }
    entries.removeFirst(head)
    (head, next) = (0, next - head)
  }

  /// Takes out all tasks, the oldest first.
  func takeAll() -> [Job] {
    defer { (entries, head, next, load) = ([], 0, 0, 0) }
    return entries[head...].compactMap { $0?.job }
  }

  /// Takes out the tasks that the command cannot have begun to read, when it reads no more.
  func takeUnread() -> [Job] {
    let consumed = input.consumed
    var unread: [Job] = []
    for index in entries.indices[head...] {
      guard let entry = entries[index], entry.start.map({ $0 >= consumed }) ?? true else { continue }
      unread.append(entry.job)
      entries[index] = nil
      load -= 1
    }
    while let last = entries.last, last == nil { entries.removeLast() }
    (head, next) = (min(head, entries.count), min(next, entries.count))
    while head < entries.count, entries[head] == nil { head += 1 }
    return unread
  }
}
