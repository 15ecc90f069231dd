internal import AMQP

/// The tasks that were received and not started, in order.
struct Inbox {
  /// While it holds this many bytes, nothing is read from the broker, whatever the prefetch is.
  private static let mostBytes = 16 << 20

  private var tasks = Fifo<ReceivedTask>()
  /// The approximate size of the tasks, in bytes.
  private var bytes = 0

  var count: Int { tasks.count }
  var isEmpty: Bool { tasks.isEmpty }
  /// Whether to read more from the broker; one task is always read, however large.
  var hasRoom: Bool { bytes < Self.mostBytes }

  mutating func append(_ task: ReceivedTask) {
    tasks.append(task)
    bytes += Self.size(of: task)
  }

  /// Takes out the first task.
  mutating func popFirst() -> ReceivedTask? {
    guard let task = tasks.popFirst() else { return nil }
    bytes -= Self.size(of: task)
    return task
  }

  /// Takes out the tasks for which `isWanted` holds; the others keep their order.
  @discardableResult
  mutating func remove(where isWanted: (ReceivedTask) -> Bool) -> [ReceivedTask] {
    let removed = tasks.remove(where: isWanted)
    for task in removed { bytes -= Self.size(of: task) }
    return removed
  }

  /// Inserts tasks before all others.
  mutating func putBack(_ first: [ReceivedTask]) {
    guard !first.isEmpty else { return }
    var all = Fifo(first)
    while let task = tasks.popFirst() { all.append(task) }
    tasks = all
    for task in first { bytes += Self.size(of: task) }
  }

  /// The body, and an estimate for the rest.
  private static func size(of task: ReceivedTask) -> Int { task.delivery.message.body.count + 512 }
}
