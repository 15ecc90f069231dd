extension String {
  /// The text without control characters and newlines, for messages that contain untrusted text.
  package var sanitized: String { isPrintableASCII ? self : replacingControls { _ in "?" } }

  /// Whether it is one line of printable characters only.
  package var isPrintableASCII: Bool { utf8.allSatisfy { (0x20..<0x7f).contains($0) } }

  /// The text with a replacement for each character that moves a cursor or ends a line.
  func replacingControls(_ replacement: (UInt32) -> String) -> String {
    unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar.value {
      case 0..<0x20, 0x7f...0x9f, 0x2028...0x2029: result += replacement(scalar.value)
      default: result.unicodeScalars.append(scalar)
      }
    }
  }
}
