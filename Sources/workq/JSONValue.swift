/// A JSON value.
enum JSONValue: Equatable {
  case null
  case boolean(Bool)
  case integer(Int64)
  /// An integer that needs an unsigned 64-bit number.
  case unsigned(UInt64)
  /// An integer that no number type here can represent.
  case unlimited
  case number(Double)
  case text(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// As JSON, without whitespace; keys are sorted.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return bytes
  }

  private func write(to bytes: inout [UInt8]) {
    switch self {
    case .null, .unlimited: bytes += "null".utf8
    case .boolean(let it): bytes += (it ? "true" : "false").utf8
    case .integer(let it): bytes += "\(it)".utf8
    case .unsigned(let it): bytes += "\(it)".utf8
    case .number(let it): Self.write(it, to: &bytes)
    case .text(let it): Self.write(it, to: &bytes)
    case .array(let it):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in it.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let it):
      bytes.append(UInt8(ascii: "{"))
      for (index, entry) in it.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.write(entry.key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        entry.value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ number: Double, to bytes: inout [UInt8]) {
    if let whole = Int64(exactly: number), number.magnitude < 0x1p53 {
      bytes += "\(whole)".utf8
    } else if number.isFinite {
      bytes += "\(number)".utf8
    } else {
      write("\(number)", to: &bytes)  // JSON has no infinity and no NaN
    }
  }

  /// DEL and the C1 controls are escaped, too, because terminals interpret them.
  private static func write(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    var previous: UInt8 = 0
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\n"): bytes += #"\n"#.utf8
      case UInt8(ascii: "\r"): bytes += #"\r"#.utf8
      case UInt8(ascii: "\t"): bytes += #"\t"#.utf8
      case 0..<0x20, 0x7f: writeEscape(byte, to: &bytes)
      case 0x80..<0xa0 where previous == 0xc2:  // U+0080 to U+009F
        bytes.removeLast()
        writeEscape(byte, to: &bytes)
      default: bytes.append(byte)
      }
      previous = byte
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private static func writeEscape(_ byte: UInt8, to bytes: inout [UInt8]) {
    bytes += (byte < 0x10 ? #"\u000"# : #"\u00"#).utf8
    bytes += String(byte, radix: 16).utf8
  }
}
