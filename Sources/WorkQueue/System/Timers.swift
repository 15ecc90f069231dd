internal import AMQP

/// The deadlines of numbered things, the earliest first (a binary heap).
///
/// A deadline is not removed when its thing ends before: the caller that takes it out finds nothing with its number.
/// When these are the majority, they are removed.
struct Timers {
  private typealias Entry = (time: Deadline, id: Int)

  private static let fewest = 1000

  private var heap: [Entry] = []
  private var sweepAt = Self.fewest

  /// The earliest deadline.
  var next: Deadline { heap.first?.time ?? .never }

  /// Adds a deadline; `isLive` tells whether a thing with this number still exists.
  mutating func set(_ time: Deadline, for id: Int, isLive: (Int) -> Bool) {
    guard time != .never else { return }
    heap.append((time, id))
    var child = heap.count - 1
    while child > 0, heap[child].time < heap[(child - 1) / 2].time {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
    guard heap.count > sweepAt else { return }
    // A sorted array is a heap, too.
    heap = heap.filter { isLive($0.id) }.sorted { $0.time < $1.time }
    sweepAt = max(Self.fewest, 2 * heap.count)
  }

  /// Takes out the earliest deadline if it is not after `now`.
  mutating func popDue(_ now: Deadline) -> Int? {
    guard let first = heap.first, first.time <= now else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first.id }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { return first.id }
      if child + 1 < heap.count, heap[child + 1].time < heap[child].time { child += 1 }
      guard heap[child].time < heap[parent].time else { return first.id }
      heap.swapAt(parent, child)
      parent = child
    }
  }
}
