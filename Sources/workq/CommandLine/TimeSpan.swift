/// A duration as it is typed: `500ms`, `30s`, `1.5m`, `2h`, `1d`; a bare number is seconds.
struct TimeSpan: Equatable {
  let duration: Duration

  private static let units: [(suffix: String, milliseconds: Double)] = [
    ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]

  init(_ duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    let unit = Self.units.first { argument.hasSuffix($0.suffix) } ?? ("", 1000)
    let number = argument.dropLast(unit.suffix.count)
    guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
      let value = Double(number), value * unit.milliseconds < 1e15
    else { return nil }
    duration = .milliseconds(value * unit.milliseconds)
  }

  /// Whole milliseconds, rounded, as the broker counts.
  var milliseconds: Int64 { Int64((duration / .milliseconds(1)).rounded()) }
}

extension Duration {
  /// For a sentence: "0.5 s", "45 s", "12 min", "3.5 h".
  var spoken: String {
    let seconds = (self / .milliseconds(1)).rounded() / 1000
    return switch seconds {
    case ..<10 where seconds != seconds.rounded(): "\(seconds) s"
    case ..<120: "\(Int(seconds.rounded())) s"
    case ..<7200: "\(Int((seconds / 60).rounded())) min"
    default: "\((seconds / 360).rounded() / 10) h"
    }
  }
}
