/// Splits a command line into options and words, by the syntax of POSIX and GNU (getopt_long(3)).
///
/// Options and words come in any order, `--` ends the options, short options can be joined (`-lv`), and a value
/// follows in the same word (`-j4`, `--jobs=4`) or in the next one, even if that begins with a dash. Long names
/// cannot be abbreviated. `-q=NAME` is refused, because 1.0 read it as the queue `NAME`.
struct OptionScanner {
  enum Token {
    case option(Option, value: String?, isShort: Bool)
    case word(String)
  }

  private let options: [Option]
  /// Explains an unknown option, given with its dashes.
  private let unknown: (String) -> UsageError
  /// The arguments that were not scanned yet.
  private(set) var rest: ArraySlice<String>
  /// The rest of a word of short options.
  private var cluster = Substring()
  /// Whether `--` was found.
  private(set) var isPastOptions = false
  /// The option at the end whose value is missing.
  private(set) var optionWithoutValue: Option?

  init(
    _ arguments: ArraySlice<String>, _ options: [Option], unknown: ((String) -> UsageError)? = nil
  ) {
    self.options = options
    self.unknown = unknown ?? { Suggestion.unknownOption($0, options) }
    rest = arguments
  }

  /// The next option or word; nil at the end.
  mutating func next() throws(UsageError) -> Token? {
    if !cluster.isEmpty { return try nextInCluster() }
    guard let argument = rest.popFirst() else { return nil }
    guard !isPastOptions, argument.utf8.first == UInt8(ascii: "-"), argument.utf8.count > 1 else {
      return .word(argument)
    }
    guard argument.utf8.starts(with: "--".utf8) else {
      cluster = Substring(argument.utf8.dropFirst())
      return try nextInCluster()
    }
    guard argument.utf8.count > 2 else {
      isPastOptions = true
      return try next()
    }
    return try long(Substring(argument.utf8.dropFirst(2)))
  }

  private mutating func long(_ text: Substring) throws(UsageError) -> Token {
    let mark = text.utf8.firstIndex(of: UInt8(ascii: "="))
    let name = String(text[..<(mark ?? text.endIndex)])
    let attached = mark.map { String(text[text.utf8.index(after: $0)...]) }
    guard let option = options.first(where: { $0.long == name || $0.aliases.contains(name) }) else {
      throw unknown("--\(name)")
    }
    return .option(option, value: try value(of: option, "--\(name)", attached), isShort: false)
  }

  private mutating func nextInCluster() throws(UsageError) -> Token {
    let letter = cluster.unicodeScalars.removeFirst()
    let name = "-\(letter)"
    guard let option = options.first(where: { $0.short == letter }) else {
      throw unknown(name)
    }
    if case .none = option.argument { return .option(option, value: nil, isShort: true) }
    let attached = cluster.isEmpty ? nil : String(cluster)
    cluster = ""
    if let attached, option.long == "queue", attached.utf8.first == UInt8(ascii: "=") {
      let value = Quoted.plain(String(attached.dropFirst()))
      throw UsageError(
        "'\(name)=\(value)' is ambiguous", use: "use \(name) \(value) or --\(option.long)=\(value)")
    }
    return .option(option, value: try value(of: option, name, attached), isShort: true)
  }

  private mutating func value(
    of option: Option, _ name: String, _ attached: String?
  ) throws(UsageError) -> String? {
    switch option.argument {
    case .none:
      guard attached == nil else { throw UsageError("\(name) takes no value") }
      return nil
    case .required:
      guard let value = attached ?? rest.popFirst() else {
        optionWithoutValue = option
        throw UsageError("\(name) needs a value: \(name) <\(option.valueName)>")
      }
      return value
    case .optional: return attached
    case .optionalApart(let accepts):
      return attached ?? (rest.first.map(accepts) == true ? rest.popFirst() : nil)
    }
  }
}
