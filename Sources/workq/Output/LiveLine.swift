internal import AMQP
internal import Glibc
internal import WorkQueue

/// The status line of a worker at a terminal: "12 done, 1 failed, 4 running, 230 waiting, 4.1/s, 56 s left".
final class LiveLine {
  /// How often it is drawn, and how often the broker is asked for the number of waiting tasks.
  static let interval = Duration.milliseconds(250)
  static let countInterval = Duration.seconds(2)
  /// The time over which the rate is measured.
  private static let rateTime = Duration.seconds(10)

  private let drains: Bool
  /// Whether the worker takes no more tasks, so that waiting tasks are not shown.
  private var isStopping = false
  /// Samples of the number of ended tasks in the last `rateTime`.
  private var samples: [(time: Duration, ended: Int)] = []

  init(drains: Bool) {
    self.drains = drains
  }

  func report(_ event: WorkerEvent) {
    switch event {
    case .progress(let state):
      BottomLine.draw(line(state, columns: Terminal.size(of: STDERR_FILENO).columns))
    case .stopping: isStopping = true
    case .stopped, .stoppedNow: BottomLine.end()
    default: break
    }
  }

  /// A part of the line, and how early it is omitted on a narrow terminal.
  private typealias Part = (text: String, rank: Int)

  /// The line for a terminal of this width, in columns; the last column stays free, because the cursor after it would
  /// wrap.
  func line(_ state: WorkerState, columns: Int) -> String {
    let counts = state.counts
    let failed = counts.parked + counts.dropped
    let waiting = isStopping ? nil : state.waiting.map { $0 + state.prefetched }
    let rate = rate(state)
    var parts: [Part] = state.address == nil ? [("not connected", 0)] : []
    parts.append(("\(NumberFormat.grouped(counts.done)) done", 0))
    if failed > 0 { parts.append(("\(NumberFormat.grouped(failed)) failed", 1)) }
    if counts.scheduled > 0 { parts.append(("\(NumberFormat.grouped(counts.scheduled)) to retry", 3)) }
    parts.append(("\(NumberFormat.grouped(state.running)) running", 5))
    if let waiting { parts.append(("\(NumberFormat.grouped(waiting)) waiting", 2)) }
    if rate > 0 { parts.append((NumberFormat.rate(rate), 4)) }
    if drains, let waiting, rate > 0 {
      let left = Double(waiting + state.running) / rate
      parts.append(("\(Duration.seconds(left.rounded(.up)).formatted) left", 1))
    }
    return Self.fit(parts, in: columns - 1)
  }

  private static func fit(_ parts: [Part], in width: Int) -> String {
    var parts = parts
    while true {
      let line = parts.map(\.text).joined(separator: ", ")
      guard line.count > width else { return line }
      guard parts.count > 1, let index = parts.indices.max(by: { parts[$0].rank < parts[$1].rank }) else {
        return String(line.prefix(max(width, 0)))
      }
      parts.remove(at: index)
    }
  }

  /// Tasks per second over the last ten seconds.
  private func rate(_ state: WorkerState) -> Double {
    samples.append((state.uptime, state.counts.ended))
    samples.removeAll { $0.time < state.uptime - Self.rateTime }
    guard let first = samples.first, state.uptime - first.time >= .seconds(1) else { return 0 }
    return Double(state.counts.ended - first.ended) / ((state.uptime - first.time) / .seconds(1))
  }
}
