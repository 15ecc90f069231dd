extension String {
  /// The text without what moves a cursor or ends a line, for messages with words that strangers chose.
  package var harmless: String {
    if isPrintableASCII { return self }
    return String(
      String.UnicodeScalarView(
        unicodeScalars.map { scalar in
          let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
          return isControl || (0x2028...0x2029).contains(scalar.value) ? "?" : scalar
        }))
  }

  /// Whether it is one line of nothing but what every terminal shows.
  package var isPrintableASCII: Bool { utf8.allSatisfy { (0x20..<0x7f).contains($0) } }
}
