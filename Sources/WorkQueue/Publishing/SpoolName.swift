/// The names in a spool's directory: "01700000000000000000.tasks", and what is derived from them.
///
/// The number is the time of adding in nanoseconds, with zeros in front, so that names sort by age.
enum SpoolName {
  /// The file whose lock is the spool's.
  static let lock = "lock"

  private static let width = 20
  private static let ending = ".tasks"
  private static let temporary = ".tmp"

  static func segment(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: width - digits.count) + digits + ending
  }

  /// Where a new segment is written until it is complete; it also keeps the number for its writer.
  static func draft(of segment: String) -> String { segment + temporary }

  /// Where what is left of a segment is written until it is complete.
  static func rest(of segment: String) -> String { segment + ".rest" + temporary }

  static func setAside(_ segment: String) -> String { segment + ".corrupt" }

  static func isSegment(_ name: String) -> Bool {
    number(of: name).map { segment($0) == name } ?? false
  }

  static func isTemporary(_ name: String) -> Bool {
    number(of: name) != nil && name.hasSuffix(temporary)
  }

  /// The number of a segment, or of the one that a name is derived from; nil for other names.
  static func number(of name: String) -> UInt64? {
    let digits = name.prefix(width)
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(digits),
      name.hasPrefix(segment(number))
    else { return nil }
    return number
  }
}
