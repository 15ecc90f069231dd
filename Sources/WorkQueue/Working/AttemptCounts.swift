/// The attempts of a worker, in numbers.
package struct AttemptCounts: Equatable, Sendable {
  /// Upper bounds of the buckets of run times.
  package static let bounds: [Duration] = [
    .milliseconds(10), .milliseconds(50), .milliseconds(100), .milliseconds(500), .seconds(1), .seconds(5),
    .seconds(10), .seconds(30), .seconds(60), .seconds(300), .seconds(1800), .seconds(3600),
  ]

  package private(set) var started = 0
  /// Those of tasks that were delivered before.
  package private(set) var redelivered = 0
  /// Number of attempts per run time: longer than the bound before, and at most this one; the last has no bound.
  package private(set) var buckets = [Int](repeating: 0, count: bounds.count + 1)
  /// The sum of the run times.
  package private(set) var totalTime = Duration.zero

  package init() {}

  mutating func start(isRedelivered: Bool) {
    started += 1
    if isRedelivered { redelivered += 1 }
  }

  mutating func end(after time: Duration) {
    totalTime += time
    var bucket = 0
    while bucket < Self.bounds.count, time > Self.bounds[bucket] { bucket += 1 }
    buckets[bucket] += 1
  }
}
