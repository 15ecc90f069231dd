/// A number of bytes as it is typed: `512`, `64k`, `16M`, `2G`, each unit 1024 times the one before.
struct SizeArgument: Equatable {
  let bytes: Int64

  private static let units: [(suffix: String, bytes: Int64)] = [
    ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30),
  ]

  init?(argument: String) {
    let text = argument.lowercased()
    let unit = Self.units.first { text.hasSuffix($0.suffix) } ?? ("", 1)
    let digits = text.dropLast(unit.suffix.count)
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int64(digits)
    else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
    guard !overflow else { return nil }
    self.bytes = bytes
  }
}
