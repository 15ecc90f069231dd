/// One line that a command has written to its result channel: `[#TASK ]STATUS[ retry-in=DURATION][ REASON…]`.
struct ResultLine: Equatable {
  /// What it is the result of; nil is the oldest task without one.
  var task: Int?
  /// The exit status that a command for this one task would have had.
  var status: Int32
  /// How long the task waits for its next attempt at least.
  var retryIn: Duration?
  /// Why it failed, for people.
  var reason: String?

  /// A longer line is none, in bytes and without its newline.
  static let longestLine = 4096
  /// A longer reason is cut, in bytes.
  static let longestReason = 1024

  private static let space = UInt8(ascii: " ")
  private static let retryPrefix = Array("retry-in=".utf8)

  init(task: Int? = nil, status: Int32, retryIn: Duration? = nil, reason: String? = nil) {
    (self.task, self.status, self.retryIn, self.reason) = (task, status, retryIn, reason)
  }

  /// Reads a line without its newline; nil when it is no result.
  init?(_ line: ArraySlice<UInt8>) {
    guard line.count <= Self.longestLine else { return nil }
    var rest = line
    // What a program on another system ends its lines with.
    if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
    var word = Self.takeWord(&rest)
    if word.first == UInt8(ascii: "#") {
      guard let number = Self.number(word.dropFirst()), number > 0 else { return nil }
      task = number
      word = Self.takeWord(&rest)
    }
    guard let status = Self.number(word), status <= 255 else { return nil }
    self.status = Int32(status)
    if rest.starts(with: Self.retryPrefix) {
      let text = Self.takeWord(&rest).dropFirst(Self.retryPrefix.count)
      guard let span = TimeSpan(argument: String(decoding: text, as: UTF8.self)) else { return nil }
      retryIn = span.duration
    }
    reason = Self.reason(rest)
  }

  /// Takes the next word, and the blanks after it.
  private static func takeWord(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let word = rest.prefix { $0 != space }
    rest = rest.dropFirst(word.count).drop { $0 == space }
    return word
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard !digits.isEmpty, digits.count <= 18 else { return nil }
    var number = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      number = number * 10 + Int(digit - 0x30)
    }
    return number
  }

  private static func reason(_ bytes: ArraySlice<UInt8>) -> String? {
    guard !bytes.isEmpty else { return nil }
    let text = sanitised(bytes, upTo: longestReason)
    return text.isEmpty ? nil : text
  }

  /// What a command has written as text of one line: without control characters, and cut at a character.
  static func sanitised(_ bytes: ArraySlice<UInt8>, upTo limit: Int) -> String {
    var (text, size) = (String.UnicodeScalarView(), 0)
    for scalar in String(decoding: bytes.prefix(limit), as: UTF8.self).unicodeScalars {
      let scalar = isControl(scalar) ? "\u{fffd}" : scalar
      size += UTF8.width(scalar)
      if size > limit { break }
      text.append(scalar)
    }
    // The last character was cut in two, perhaps.
    if bytes.count > limit, text.last == "\u{fffd}" { text.removeLast() }
    return String(text)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7f }
    return switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
