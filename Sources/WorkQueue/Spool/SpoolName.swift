package import AMQP

/// The names in a spool's directory: "01700000000000000000.tasks2", and names derived from it.
///
/// The number is the time of adding in nanoseconds, with leading zeros, so that names sort by age. 1.0's segments end
/// with ".tasks". 1.0 ignores other endings except for their numbers, and removes abandoned drafts.
enum SpoolName {
  /// The file whose lock is the spool's.
  static let lock = "lock"

  private static let width = 20
  private static let ending = ".tasks2"
  private static let formerEnding = ".tasks"
  private static let temporary = ".tmp"

  static func segment(_ number: UInt64) -> String {
    stem(number) + ending
  }

  private static func stem(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: width - digits.count) + digits
  }

  /// Where the rest of a segment is stored: under its name, or, if 1.0 wrote it, next to it.
  static func replacement(of segment: String) -> String {
    segment.hasSuffix(ending) ? segment : segment + ending
  }

  /// The draft of a new segment, which also reserves its number.
  static func draft(of segment: String) -> String { segment + temporary }

  /// The draft of the rest of a segment.
  static func rest(of segment: String) -> String { segment + ".rest" + temporary }

  static func setAside(_ segment: String) -> String { segment + ".corrupt" }

  static func isSegment(_ name: String) -> Bool {
    guard number(of: name) != nil else { return false }
    return [ending, formerEnding, formerEnding + ending].contains(String(name.dropFirst(width)))
  }

  static func isTemporary(_ name: String) -> Bool {
    number(of: name) != nil && name.hasSuffix(temporary)
  }

  /// The number of a segment, or of the one that a name is derived from; nil for other names.
  static func number(of name: String) -> UInt64? {
    let digits = name.prefix(width)
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(digits),
      name.hasPrefix(stem(number) + formerEnding)
    else { return nil }
    return number
  }
}

extension Spool {
  /// The directory's name for a broker: "host_port_vhost", with all characters but letters, digits, "." and "-"
  /// percent-encoded, so that no two brokers share a directory.
  package static func directoryName(for address: Address) -> String {
    let name = "\(escaped(address.host.lowercased()))_\(address.port)_\(escaped(address.vhost))"
    // File systems take 255 bytes at most.
    return name.count <= 255 ? name : split(name)
  }

  private static func split(_ name: String) -> String {
    var (parts, rest) = ([String](), name[...])
    while !rest.isEmpty {
      parts.append(String(rest.prefix(200)))
      rest = rest.dropFirst(200)
    }
    return parts.joined(separator: "/+")
  }

  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      switch Unicode.Scalar(byte) {
      case "a"..."z", "A"..."Z", "0"..."9", ".", "-": String(Unicode.Scalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}
