/// Numbers over time as a line of bars.
enum SparkLine {
  private static let bars = Array("▁▂▃▄▅▆▇█")

  /// A bar for each number, scaled to the highest; a blank for a missing one.
  static func draw(_ values: [UInt32?]) -> String {
    let highest = values.compactMap { $0 }.max() ?? 0
    return String(
      values.map { value -> Character in
        guard let value else { return " " }
        guard value > 0 else { return bars[0] }
        // Only 0 has no bar, so that a single task is visible.
        return bars[1 + Int(UInt64(value) * UInt64(bars.count - 2) / UInt64(highest))]
      })
  }
}
