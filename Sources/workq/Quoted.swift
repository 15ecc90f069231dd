/// A body as people see it: Python's repr(), which the tutorial prints.
///
/// UTF-8 text is shown as 'text', other bytes as b'bytes'; nothing in it can move a terminal's cursor.
enum Quoted {
  static func bytes(_ bytes: [UInt8]) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let scalars = bytes.lazy.map { Unicode.Scalar($0) }
      return "b" + quote(scalars) { $0.value < 0x20 || $0.value > 0x7e }
    }
    return quote(text.unicodeScalars) { !isPrintable($0) }
  }

  /// Text from a message without the quotes, where it stands in a sentence.
  static func plain(_ text: String) -> String {
    String(quote(text.unicodeScalars) { !isPrintable($0) }.dropFirst().dropLast())
  }

  private static func quote(
    _ scalars: some Collection<Unicode.Scalar>, escaping mustEscape: (Unicode.Scalar) -> Bool
  ) -> String {
    let mark: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
    var result = String.UnicodeScalarView()
    result.append(mark)
    for scalar in scalars {
      switch scalar {
      case "\\", mark: result.append(contentsOf: ["\\", scalar])
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      case _ where mustEscape(scalar): result.append(contentsOf: escape(scalar).unicodeScalars)
      default: result.append(scalar)
      }
    }
    result.append(mark)
    return String(result)
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    let (letter, width) =
      switch scalar.value {
      case ...0xff: ("x", 2)
      case ...0xffff: ("u", 4)
      default: ("U", 8)
      }
    let digits = String(scalar.value, radix: 16)
    return "\\" + letter + String(repeating: "0", count: width - digits.count) + digits
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value >= 0x20 && scalar.value < 0x7f }
    return switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
      .spaceSeparator:
      false
    default: true
    }
  }
}
