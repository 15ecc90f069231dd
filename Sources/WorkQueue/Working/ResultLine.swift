/// One line that a command has written to its result channel: `[#TASK ]STATUS[ retry-in=DURATION][ REASON…]`.
struct ResultLine: Equatable {
  /// The number of the task; nil means the oldest without a result.
  var task: Int?
  /// Has the meaning of a command's exit status.
  var status: Int32
  /// Minimum delay of the next attempt.
  var retryIn: Duration?
  /// Why it failed, for messages.
  var reason: String?

  /// A longer line is malformed; in bytes, without its newline.
  static let longestLine = 4096
  /// A longer reason is cut; in bytes.
  static let longestReason = 1024

  private static let space = UInt8(ascii: " ")
  private static let retryPrefix = Array("retry-in=".utf8)

  init(task: Int? = nil, status: Int32, retryIn: Duration? = nil, reason: String? = nil) {
    (self.task, self.status, self.retryIn, self.reason) = (task, status, retryIn, reason)
  }

  /// Parses a line without its newline; nil when it is malformed.
  init?(_ line: ArraySlice<UInt8>) {
    // Most lines are a status alone.
    if let status = Self.status(line) {
      self.status = status
      return
    }
    guard line.count <= Self.longestLine else { return nil }
    var rest = line
    // A carriage return before the newline.
    if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
    var word = Self.takeWord(&rest)
    if word.first == UInt8(ascii: "#") {
      guard let number = Self.number(word.dropFirst()), number > 0 else { return nil }
      task = number
      word = Self.takeWord(&rest)
    }
    guard let status = Self.status(word) else { return nil }
    self.status = status
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

  private static func status(_ digits: ArraySlice<UInt8>) -> Int32? {
    number(digits).flatMap { $0 <= 255 ? Int32($0) : nil }
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

  /// The command's text as one line: sanitized, and cut between characters.
  static func sanitised(_ bytes: ArraySlice<UInt8>, upTo limit: Int) -> String {
    var (text, size) = (String.UnicodeScalarView(), 0)
    for scalar in String(decoding: bytes.prefix(limit), as: UTF8.self).unicodeScalars {
      let scalar = isControl(scalar) ? "\u{fffd}" : scalar
      size += UTF8.width(scalar)
      if size > limit { break }
      text.append(scalar)
    }
    // The last character may have been cut.
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
