/// A duration as it is typed: `500ms`, `30s`, `1.5m`, `2h`, `1d`; a bare number is seconds.
package struct TimeSpan: Equatable {
  package let duration: Duration

  private static let units: [(suffix: String, milliseconds: Double)] = [
    ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]

  package init(_ duration: Duration) {
    self.duration = duration
  }

  package init?(argument: String) {
    let unit = Self.units.first { argument.hasSuffix($0.suffix) } ?? ("", 1000)
    let number = argument.dropLast(unit.suffix.count)
    guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
      let value = Double(number), value * unit.milliseconds < 1e15
    else { return nil }
    duration = .milliseconds(value * unit.milliseconds)
  }

  /// Whole milliseconds, rounded, as the broker counts.
  package var milliseconds: Int64 { Int64((duration / .milliseconds(1)).rounded()) }
}
