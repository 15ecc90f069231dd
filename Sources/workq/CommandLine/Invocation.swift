/// What a command line asks for.
enum Invocation {
  /// Help about a subcommand, or about the program.
  case help(Subcommand?, isShort: Bool)
  case version
  case completions(Completions.Shell)
  case run(Subcommand, Settings)

  /// What an option asks for instead of the subcommand.
  enum Answer: Equatable {
    case help
    case version
    case completions(Completions.Shell)
  }

  /// The options that can stand in front of the subcommand.
  static var commonGroups: [OptionGroup] { [.connection, .output] }

  /// Understands the arguments behind the program's name.
  ///
  /// - Throws: `usage`, in one line that says what is accepted or which help to read.
  static func parse(_ arguments: [String]) throws(Failure) -> Invocation {
    guard !arguments.isEmpty else { return .help(nil, isShort: true) }
    var settings = Settings()
    let options = (commonGroups + [.program]).flatMap(\.options)
    var scanner = OptionScanner(arguments[...], options) {
      Suggestion.misplacedOption($0, arguments, options)
    }
    let subcommand: Subcommand
    do throws(UsageError) {
      while true {
        guard let token = try scanner.next() else { throw UsageError("no subcommand was given") }
        if case .word(let word) = token {
          if word == "help" { return try help(scanner.rest) }
          guard let found = Subcommand.named(word) else { throw Suggestion.unknownSubcommand(word) }
          subcommand = found
          break
        }
        if let invocation = try take(token, &settings, nil) { return invocation }
      }
    } catch {
      throw Failure(error, in: "workq")
    }
    return try parse(scanner.rest, subcommand, settings)
  }

  private static func help(_ words: ArraySlice<String>) throws(UsageError) -> Invocation {
    guard let word = words.first, word.utf8.first != UInt8(ascii: "-"), word != "help" else {
      return .help(nil, isShort: false)
    }
    guard let subcommand = Subcommand.named(word) else { throw Suggestion.unknownSubcommand(word) }
    return .help(subcommand, isShort: false)
  }

  private static func parse(
    _ arguments: ArraySlice<String>, _ subcommand: Subcommand, _ settings: Settings
  ) throws(Failure) -> Invocation {
    var settings = settings
    var scanner = OptionScanner(arguments, subcommand.options)
    do throws(UsageError) {
      while let token = try scanner.next() {
        if case .word(let word) = token {
          if case .command = subcommand.operands, !scanner.isPastOptions {
            throw UsageError("unexpected argument '\(Quoted.plain(word))'; a command to run goes after '--'")
          }
          settings.words.append(word)
        } else if let invocation = try take(token, &settings, subcommand) {
          return invocation
        }
      }
      try check(settings.words, subcommand.operands, hasMark: scanner.isPastOptions)
      try settings.connection.check()
      try settings.output.check()
      try subcommand.check(settings)
    } catch {
      throw Failure(error, in: "workq \(subcommand.name)")
    }
    return .run(subcommand, settings)
  }

  /// Applies an option to the settings.
  ///
  /// - Returns: what it asks for instead of the subcommand, if so.
  private static func take(
    _ token: OptionScanner.Token, _ settings: inout Settings, _ subcommand: Subcommand?
  ) throws(UsageError) -> Invocation? {
    guard case .option(let option, let value, let isShort) = token else { return nil }
    do throws(UsageError) {
      try option.apply(&settings, value)
    } catch {
      throw UsageError("--\(option.long): \(error.reason)", use: error.advice)
    }
    return switch settings.answer {
    case nil: nil
    case .help: .help(subcommand, isShort: isShort)
    case .version: .version
    case .completions(let shell): .completions(shell)
    }
  }

  private static func check(
    _ words: [String], _ operands: Subcommand.Operands, hasMark: Bool
  ) throws(UsageError) {
    let most: Int
    switch operands {
    case .words(_, let limit): most = limit ?? .max
    case .exactly(let names):
      guard words.count >= names.count else {
        throw UsageError("\(names[words.count]) is missing: \(names.joined(separator: " and ")) are needed")
      }
      most = names.count
    case .command:
      // "-- $COMMAND" with nothing in the variable must not fake the work.
      guard !words.isEmpty || !hasMark else { throw UsageError("after '--' there is no command") }
      return
    }
    guard words.count <= most else {
      throw UsageError("unexpected argument '\(Quoted.plain(words[most]))'")
    }
  }
}

extension Failure {
  /// A command line is refused: what is accepted instead, or which help to read.
  init(_ error: UsageError, in command: String) {
    self.init(.usage, "\(error.reason) (\(error.advice ?? "see '\(command) --help'"))")
  }
}
