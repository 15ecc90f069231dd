/// How many tasks waited in a queue over the last minutes, and the rates that follow from that.
package struct QueueHistory: Equatable, Sendable {
  private struct Sample: Equatable, Sendable {
    /// Since the first sample.
    let time: Duration
    let waiting: UInt32
    let consumers: UInt32
  }

  /// How far back the history goes.
  package static let span = Duration.seconds(300)
  /// Rates are computed over this time, so that one burst does not make the figures jump.
  private static let rateWindow = Duration.seconds(10)

  private var samples: [Sample] = []

  package init() {}

  /// Adds a sample; `time` counts from any moment, the same for all samples.
  package mutating func add(waiting: UInt32, consumers: UInt32, at time: Duration) {
    samples.append(Sample(time: time, waiting: waiting, consumers: consumers))
    samples.removeAll { $0.time < time - Self.span - Self.rateWindow }
  }

  /// Number of samples that are kept.
  package var count: Int { samples.count }

  /// The time from the first to the last sample, `span` at most.
  package var length: Duration {
    guard let first = samples.first, let last = samples.last else { return .zero }
    return min(last.time - first.time, Self.span)
  }

  /// The present growth of the queue, in tasks per second; nil before the second sample.
  package var rate: Double? {
    samples.indices.last.flatMap { rate(endingAt: $0) }
  }

  /// The fastest decrease of the queue with its present consumers, in tasks per second.
  ///
  /// They process at least that many. nil when the queue has not shrunk.
  package var knownPace: Double? {
    guard let consumers = samples.last?.consumers, consumers > 0 else { return nil }
    let rates = samples.indices.filter { samples[$0].consumers == consumers }.compactMap {
      rate(endingAt: $0, onlyWith: consumers)
    }
    return rates.min().flatMap { $0 <= -0.1 ? -$0 : nil }
  }

  /// The waiting tasks over time in this number of columns, the last of which is now; nil without a sample.
  package func columns(_ count: Int) -> [UInt32?] {
    guard let last = samples.last, count > 0 else { return Array(repeating: nil, count: max(count, 0)) }
    let shown = samples.filter { $0.time >= last.time - Self.span }
    guard shown.count > count else {
      return Array(repeating: nil, count: count - shown.count) + shown.map { $0.waiting }
    }
    // With more samples than columns, each column has the highest of its samples.
    let step = (last.time - shown[0].time) / count
    var highest: UInt32?
    return (1...count).map { column in
      let (start, end) = (shown[0].time + step * (column - 1), shown[0].time + step * column)
      let isLast = column == count
      highest = shown.filter { $0.time >= start && ($0.time < end || isLast) }.map(\.waiting).max() ?? highest
      return highest
    }
  }

  private func rate(endingAt index: Int, onlyWith consumers: UInt32? = nil) -> Double? {
    let last = samples[index]
    let tooOld = samples[..<index].lastIndex { $0.time < last.time - Self.rateWindow }
    // At least two samples, even if they are further apart than that.
    let window = samples[min(tooOld.map { $0 + 1 } ?? 0, max(index - 1, 0))...index]
    guard let first = window.first, first.time < last.time else { return nil }
    guard consumers == nil || window.allSatisfy({ $0.consumers == consumers }) else { return nil }
    return (Double(last.waiting) - Double(first.waiting)) / ((last.time - first.time) / .seconds(1))
  }
}
