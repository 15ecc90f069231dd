/// A parsed command line.
enum Invocation {
  /// Help about a subcommand, or about the program.
  case help(Subcommand?, isShort: Bool)
  case print(String)
  case run(Subcommand, Settings)

  /// What to do instead of running the subcommand, as an option such as `--help` requests.
  enum Answer: Equatable {
    case help
    case print(String)
  }

  /// The options that can precede the subcommand.
  static var commonGroups: [OptionGroup] { [.connection, .output] }

  /// Parses the arguments after the program's name.
  ///
  /// - Throws: `usage`, in one line that says what is accepted or which help to read.
  static func parse(_ arguments: [String]) throws(Failure) -> Invocation {
    guard let first = arguments.first else { return .help(nil, isShort: true) }
    if first == Completions.request { return .print(Completions.offers(for: arguments.dropFirst())) }
    var (settings, subcommand) = (Settings(), Subcommand?.none)
    let options = (commonGroups + [.program]).flatMap(\.options)
    var scanner = OptionScanner(arguments[...], options) {
      Suggestion.misplacedOption($0, arguments, options)
    }
    do throws(UsageError) {
      while let token = try scanner.next() {
        switch token {
        case .option(let option, let value, let isShort):
          try apply(option, value, to: &settings)
          switch settings.answer {
          case nil: break
          case .help: return .help(subcommand, isShort: isShort)
          case .print(let text): return .print(text)
          }
        case .word("help") where subcommand == nil: return try help(scanner.rest)
        case .word(let word):
          guard let subcommand else {
            let found = try Self.subcommand(word)
            (subcommand, scanner) = (found, OptionScanner(scanner.rest, found.options))
            continue
          }
          if case .command = subcommand.operands, !scanner.isPastOptions {
            throw UsageError("unexpected argument '\(Quoted.plain(word))'; a command to run goes after '--'")
          }
          settings.operands.append(word)
        }
      }
      guard let subcommand else { throw UsageError("no subcommand was given") }
      try check(settings.operands, subcommand.operands, hasMark: scanner.isPastOptions)
      try settings.connection.check()
      try settings.output.check()
      try subcommand.check(settings)
      return .run(subcommand, settings)
    } catch {
      throw Failure(error, in: subcommand.map { "workq \($0.name)" } ?? "workq")
    }
  }

  private static func subcommand(_ word: String) throws(UsageError) -> Subcommand {
    guard let found = Subcommand.named(word) else { throw Suggestion.unknownSubcommand(word) }
    return found
  }

  private static func help(_ arguments: ArraySlice<String>) throws(UsageError) -> Invocation {
    guard let word = arguments.first, word.utf8.first != UInt8(ascii: "-"), word != "help" else {
      return .help(nil, isShort: false)
    }
    return .help(try subcommand(word), isShort: false)
  }

  private static func apply(
    _ option: Option, _ value: String?, to settings: inout Settings
  ) throws(UsageError) {
    do throws(UsageError) {
      try option.apply(&settings, value)
    } catch {
      throw UsageError("--\(option.long): \(error.reason)", use: error.advice)
    }
  }

  private static func check(
    _ operands: [String], _ expected: Subcommand.Operands, hasMark: Bool
  ) throws(UsageError) {
    let most: Int
    switch expected {
    case .list(_, let limit): most = limit ?? .max
    case .exactly(let names):
      guard operands.count >= names.count else {
        throw UsageError(
          "\(names[operands.count]) is missing: \(names.joined(separator: " and ")) are needed")
      }
      most = names.count
    case .command:
      // "-- $COMMAND" with an empty variable must not fake the work.
      guard !operands.isEmpty || !hasMark else { throw UsageError("after '--' there is no command") }
      return
    }
    guard operands.count <= most else {
      throw UsageError("unexpected argument '\(Quoted.plain(operands[most]))'")
    }
  }
}

extension Failure {
  /// Reports a refused command line: what is accepted instead, or which help to read.
  init(_ error: UsageError, in command: String) {
    self.init(.usage, "\(error.reason) (\(error.advice ?? "see '\(command) --help'"))")
  }
}
