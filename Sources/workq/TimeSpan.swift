internal import ArgumentParser

/// A duration as it is typed: `500ms`, `30s`, `1.5m`, `2h`, `1d`; a bare number is seconds.
struct TimeSpan: ExpressibleByArgument, Equatable {
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

  var defaultValueDescription: String { "\(duration.components.seconds)s" }
}

extension Duration {
  /// For a sentence: "0.5 s".
  var spoken: String {
    let milliseconds = (self / .milliseconds(1)).rounded()
    return milliseconds < 10_000 ? "\(milliseconds / 1000) s" : "\(Int((milliseconds / 1000).rounded())) s"
  }
}
