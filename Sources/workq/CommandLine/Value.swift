internal import AMQP
internal import WorkQueue

/// Parsers of options' values; their errors say what is accepted.
enum Value {
  static func duration(
    _ text: String, atLeast least: Duration = .zero, atMost most: Duration? = nil
  ) throws(UsageError) -> Duration {
    guard let duration = TimeSpan(argument: text)?.duration else {
      throw UsageError("invalid duration '\(Quoted.plain(text))'", use: "use 500ms, 30s, 5m, 2h or 1d")
    }
    guard duration >= least else {
      throw UsageError("'\(text)' is too short", use: "use \(least.formatted) or more")
    }
    if let most, duration > most {
      throw UsageError("'\(text)' is too long", use: "use \(Int(most / .seconds(86_400))) days at most")
    }
    return duration
  }

  static func integer<Number: FixedWidthInteger>(
    _ text: String, _ range: ClosedRange<Number>
  ) throws(UsageError) -> Number {
    guard let number = Number(text), range.contains(number) else {
      let most = range.upperBound == Number.max && Number.bitWidth == 64 ? "more" : "\(range.upperBound)"
      throw UsageError(
        "invalid number '\(Quoted.plain(text))'",
        use: most == "more" ? "use \(range.lowerBound) or more" : "use \(range.lowerBound) to \(most)")
    }
    return number
  }

  /// One of these words.
  static func choice<Choice>(_ text: String, _ choices: [(word: String, choice: Choice)]) throws(UsageError)
    -> Choice
  {
    if let found = choices.first(where: { $0.word == text }) { return found.choice }
    let values = choices.map(\.word)
    let list = values.dropLast().joined(separator: ", ")
    throw UsageError("invalid value '\(Quoted.plain(text))'", use: "use \(list) or \(values.last ?? "")")
  }

  /// "10/s", "90/m", "5/h".
  static func rate(_ text: String) throws(UsageError) -> Throttle.Rate {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let units: [Substring: Duration] = ["s": .seconds(1), "m": .seconds(60), "h": .seconds(3600)]
    guard parts.count == 2, let tasks = Int(parts[0]), (1...1_000_000).contains(tasks),
      let time = units[parts[1]]
    else { throw UsageError("invalid rate '\(Quoted.plain(text))'", use: "use 10/s, 90/m or 5/h") }
    return Throttle.Rate(tasks, in: time)
  }

  static func size(_ text: String) throws(UsageError) -> SizeArgument {
    guard let size = SizeArgument(argument: text) else {
      throw UsageError("invalid size '\(Quoted.plain(text))'", use: "use 512, 64k, 16M or 2G")
    }
    return size
  }

  static func field(_ text: String, _ forms: String) throws(UsageError) -> TypedValue {
    guard let field = TypedValue(argument: text) else {
      throw UsageError("invalid value '\(Quoted.plain(text))'", use: "use \(forms)")
    }
    return field
  }

  /// The path as it was typed, byte for byte.
  static func path(_ text: String) -> FilePath { FilePath(bytes: RawArguments.bytes(of: text)) }

  /// Text that AMQP sends as a short string: UTF-8 of 255 bytes at most.
  static func shortText(_ text: String) throws(UsageError) -> String {
    guard !RawArguments.isEscaped(text) else { throw UsageError("the value is not valid UTF-8") }
    guard text.utf8.count <= 255 else {
      throw UsageError("the value is longer than 255 bytes")
    }
    return text
  }
}
