/// A strict JSON parser (RFC 8259).
///
/// Text after the value, an unpaired surrogate and invalid UTF-8 are errors. Only a comma after the last item is
/// allowed, because workq 1.0 accepted it.
struct JSONParser {
  struct Malformed: Error {}

  private static let deepest = 500
  private var rest: ArraySlice<UInt8>
  private var depth = 0

  private init(_ bytes: [UInt8]) {
    rest = bytes[...]
  }

  static func value(_ bytes: [UInt8]) throws(Malformed) -> JSONValue {
    var parser = JSONParser(bytes)
    let value = try parser.value()
    guard parser.nextByte() == nil else { throw Malformed() }
    return value
  }

  /// The next byte that is not whitespace.
  private mutating func nextByte() -> UInt8? {
    rest = rest.drop { " \t\r\n".utf8.contains($0) }
    return rest.first
  }

  private mutating func value() throws(Malformed) -> JSONValue {
    switch nextByte() {
    case UInt8(ascii: "{"): return .object(try object())
    case UInt8(ascii: "["): return .array(try array())
    case UInt8(ascii: "\""): return .text(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(Malformed) -> JSONValue {
    guard rest.starts(with: word.utf8) else { throw Malformed() }
    rest = rest.dropFirst(word.utf8.count)
    return value
  }

  private mutating func object() throws(Malformed) -> [String: JSONValue] {
    var values: [String: JSONValue] = [:]
    try items(closedBy: UInt8(ascii: "}")) { (parser) throws(Malformed) in
      guard parser.nextByte() == UInt8(ascii: "\"") else { throw Malformed() }
      let key = try parser.string()
      guard parser.nextByte() == UInt8(ascii: ":") else { throw Malformed() }
      parser.rest = parser.rest.dropFirst()
      values[key] = try parser.value()
    }
    return values
  }

  private mutating func array() throws(Malformed) -> [JSONValue] {
    var values: [JSONValue] = []
    try items(closedBy: UInt8(ascii: "]")) { (parser) throws(Malformed) in values.append(try parser.value()) }
    return values
  }

  /// The items between brackets, separated by commas.
  private mutating func items(
    closedBy end: UInt8, _ item: (inout JSONParser) throws(Malformed) -> Void
  ) throws(Malformed) {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.deepest else { throw Malformed() }
    rest = rest.dropFirst()
    var hasMore = true
    while nextByte() != end {
      guard hasMore else { throw Malformed() }
      try item(&self)
      hasMore = nextByte() == UInt8(ascii: ",")
      if hasMore { rest = rest.dropFirst() }
    }
    rest = rest.dropFirst()
  }

  // MARK: Strings

  private mutating func string() throws(Malformed) -> String {
    rest = rest.dropFirst()
    var bytes: [UInt8] = []
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Malformed() }
        return text
      case UInt8(ascii: "\\"): bytes += try escape()
      case 0..<0x20: throw Malformed()
      default: bytes.append(byte)
      }
    }
    throw Malformed()
  }

  /// The UTF-8 of an escape sequence after its backslash.
  private mutating func escape() throws(Malformed) -> [UInt8] {
    switch rest.popFirst() {
    case UInt8(ascii: "\""): return [UInt8(ascii: "\"")]
    case UInt8(ascii: "\\"): return [UInt8(ascii: "\\")]
    case UInt8(ascii: "/"): return [UInt8(ascii: "/")]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "n"): return [UInt8(ascii: "\n")]
    case UInt8(ascii: "r"): return [UInt8(ascii: "\r")]
    case UInt8(ascii: "t"): return [UInt8(ascii: "\t")]
    case UInt8(ascii: "u"): return Array(String(Character(try scalar())).utf8)
    default: throw Malformed()
    }
  }

  private mutating func scalar() throws(Malformed) -> Unicode.Scalar {
    let first = try hexadecimal()
    guard (0xd800..<0xdc00).contains(first) else {
      guard let scalar = Unicode.Scalar(first) else { throw Malformed() }
      return scalar
    }
    guard rest.starts(with: #"\u"#.utf8) else { throw Malformed() }
    rest = rest.dropFirst(2)
    let second = try hexadecimal()
    guard (0xdc00..<0xe000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
    else { throw Malformed() }
    return scalar
  }

  private mutating func hexadecimal() throws(Malformed) -> UInt32 {
    let digits = rest.prefix(4)
    guard digits.count == 4, digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
      let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw Malformed() }
    rest = rest.dropFirst(4)
    return value
  }

  // MARK: Numbers

  private mutating func number() throws(Malformed) -> JSONValue {
    let start = rest
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let hasLeadingZero = rest.first == UInt8(ascii: "0")
    let count = try digits()
    guard count == 1 || !hasLeadingZero else { throw Malformed() }
    var isInteger = true
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      isInteger = false
      _ = try digits()
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      isInteger = false
      if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
      _ = try digits()
    }
    let text = String(decoding: start[start.startIndex..<rest.startIndex], as: UTF8.self)
    if isInteger { return Self.integer(text) }
    guard let number = Double(text), number.isFinite else { throw Malformed() }
    return Int64(exactly: number).map(JSONValue.integer) ?? .number(number)
  }

  private mutating func digits() throws(Malformed) -> Int {
    let digits = rest.prefix { (0x30...0x39).contains($0) }
    guard !digits.isEmpty else { throw Malformed() }
    rest = rest.dropFirst(digits.count)
    return digits.count
  }

  private static func integer(_ text: String) -> JSONValue {
    if let number = Int64(text) { return .integer(number) }
    if let number = UInt64(text) { return .unsigned(number) }
    // A larger integer is kept only if a floating-point number represents it exactly.
    return Int128(text).flatMap { Double(exactly: $0) }.map(JSONValue.number) ?? .unlimited
  }
}
