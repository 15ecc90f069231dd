internal import AMQP
internal import WorkQueue

/// Tasks as one line each: for `failed --list`, `peek --list` and a dry run of `move` and `retry`.
struct TaskLine {
  /// The columns, in order.
  private enum Column {
    case id
    case age
    case attempts
    case reason
    case body
  }

  private static let idWidth = 36
  private static let ageWidth = 7
  private static let reasonWidth = 18
  private static let bodyCharacters = 40

  private let columns: [Column]
  /// The width that lines are cut to; nil means in full.
  private let width: Int?
  /// Seconds since 1970.
  private let now: Int

  /// - Parameters:
  ///   - width: the width of the terminal; nil without one.
  ///   - now: seconds since 1970.
  init(width: Int?, now: Int = WallClock.seconds) {
    (self.width, self.now) = (width, now)
    switch width ?? .max {
    case 100...: columns = [.id, .age, .attempts, .reason, .body]
    case 70...: columns = [.id, .age, .reason, .body]
    default: columns = [.id, .body]
    }
  }

  /// For stdout.
  static func forOutput() -> TaskLine {
    TaskLine(width: Console.outputIsTerminal ? Terminal.size.columns : nil)
  }

  var heading: String {
    line { column in
      switch column {
      case .id: "ID"
      case .age: "AGE"
      case .attempts: "ATTEMPTS"
      case .reason: "REASON"
      case .body: "BODY"
      }
    }
  }

  func line(_ task: Delivery) -> String {
    let properties = task.message.properties
    let failure = LastFailure(properties.headers)
    return line { column in
      switch column {
      case .id: properties.messageID.map(Quoted.plain) ?? "-"
      case .age: (failure.time ?? properties.timestamp).map(age) ?? "-"
      case .attempts: "\(failure.attempts)"
      case .reason: failure.reason.map(Quoted.plain) ?? "-"
      case .body: Self.beginning(of: task.message.body)
      }
    }
  }

  /// The body's first 40 characters, in quotes.
  static func beginning(of body: [UInt8]) -> String {
    guard let (text, isWhole) = beginning(ofText: body) else { return beginning(ofBytes: body) }
    return "\(Quoted.bytes(Array(text.utf8)))\(isWhole ? "" : "…")"
  }

  /// The body's first 40 characters as the task's name, without a newline at the end.
  static func name(of body: [UInt8]) -> String {
    let body = body.last == UInt8(ascii: "\n") ? Array(body.dropLast()) : body
    guard !body.isEmpty else { return "(empty)" }
    if body.count <= bodyCharacters, body.allSatisfy({ (0x20..<0x7f).contains($0) }) {
      return String(decoding: body, as: UTF8.self)
    }
    guard let (text, isWhole) = beginning(ofText: body) else { return beginning(ofBytes: body) }
    return "\(Quoted.plain(text))\(isWhole ? "" : "…")"
  }

  /// The first 40 characters of a body, and whether that is all; nil when it is not UTF-8.
  private static func beginning(ofText body: [UInt8]) -> (String, isWhole: Bool)? {
    // A scalar has at most four bytes.
    let most = bodyCharacters * 4
    let bytes = body.count > most ? PeekReport.whole(body.prefix(most)) : body
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    let shown = text.prefix(bodyCharacters)
    return (String(shown), shown.utf8.count == body.count)
  }

  private static func beginning(ofBytes body: [UInt8]) -> String {
    let isWhole = body.count <= bodyCharacters
    return "\(Quoted.bytes(Array(body.prefix(bodyCharacters))))\(isWhole ? "" : "…")"
  }

  private func age(_ time: UInt64) -> String {
    Duration.seconds(max(0, now - Int(clamping: time))).formatted
  }

  private func line(_ text: (Column) -> String) -> String {
    let cells = columns.map { column in
      switch column {
      case .id: text(column).padded(to: Self.idWidth)
      case .age: text(column).paddedLeft(to: Self.ageWidth)
      case .attempts: text(column).paddedLeft(to: "ATTEMPTS".count)
      case .reason: text(column).padded(to: Self.reasonWidth)
      case .body: text(column)
      }
    }
    let line = cells.joined(separator: "  ")
    guard let width, line.count > width else { return line }
    return "\(line.prefix(max(0, width - 1)))…"
  }
}
