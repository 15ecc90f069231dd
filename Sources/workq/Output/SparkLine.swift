/// Numbers over time as a line of bars.
enum SparkLine {
  private static let bars = Array("▁▂▃▄▅▆▇█")

  /// A bar for each number, the highest of them all the way up; a blank where there is none.
  static func draw(_ values: [UInt32?]) -> String {
    let highest = values.compactMap { $0 }.max() ?? 0
    return String(
      values.map { value -> Character in
        guard let value else { return " " }
        guard value > 0 else { return bars[0] }
        // The lowest bar is nothing at all, so that a single task can be seen.
        return bars[1 + Int(UInt64(value) * UInt64(bars.count - 2) / UInt64(highest))]
      })
  }
}
