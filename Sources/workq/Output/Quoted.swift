/// A body as text: Python's repr(), as in the tutorial.
///
/// UTF-8 text is shown as 'text', other bytes as b'bytes'; control characters are escaped.
enum Quoted {
  static func bytes(_ bytes: [UInt8]) -> String {
    let isPlain = bytes.allSatisfy { byte in
      (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
    }
    if isPlain { return "'\(String(decoding: bytes, as: UTF8.self))'" }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let scalars = bytes.lazy.map { Unicode.Scalar($0) }
      return "b" + quote(scalars) { $0.value < 0x20 || $0.value > 0x7e }
    }
    return quote(text.unicodeScalars) { !isPrintable($0) }
  }

  /// Text with control characters escaped.
  static func plain(_ text: String) -> String {
    guard !text.unicodeScalars.allSatisfy(isPrintable) else { return text }
    return String(
      String.UnicodeScalarView(
        text.unicodeScalars.flatMap { scalar in
          isPrintable(scalar) ? [scalar] : Array((shortEscapes[scalar] ?? escape(scalar)).unicodeScalars)
        }))
  }

  /// `text`, quoted for a shell if necessary.
  static func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        || "_-./:=@%+,".utf8.contains(byte)
    }
    return isPlain && !text.isEmpty ? text : "'\(text.replacing("'", with: #"'\''"#))'"
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
      case _ where mustEscape(scalar):
        result.append(contentsOf: (shortEscapes[scalar] ?? escape(scalar)).unicodeScalars)
      default: result.append(scalar)
      }
    }
    result.append(mark)
    return String(result)
  }

  private static let shortEscapes: [Unicode.Scalar: String] = ["\n": #"\n"#, "\r": #"\r"#, "\t": #"\t"#]

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
