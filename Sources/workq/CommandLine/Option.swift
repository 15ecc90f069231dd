/// One option of the command line: what the parser, the help, the manual and the completions know about it.
struct Option {
  /// Whether a value follows.
  enum Argument {
    case none
    /// `-q NAME`, `-qNAME`, `--queue NAME` or `--queue=NAME`.
    case required
    /// `--spool` or `--spool=DIR`.
    case optional
    /// `--watch`, `--watch=5s` or `--watch 5s`: the next word is the value when the closure accepts it.
    case optionalApart((String) -> Bool)
  }

  /// How a shell completes the value.
  enum Completion {
    case none
    case file
    case directory
    case values([String])
  }

  /// The long name, without the dashes.
  let long: String
  let short: Unicode.Scalar?
  /// Other long names.
  let aliases: [String]
  let argument: Argument
  /// The value's name in the help; empty for a flag.
  let valueName: String
  let completion: Completion
  /// Whether it can be given several times, and each value counts.
  let repeats: Bool
  /// Whether `-h` shows it.
  let isCommon: Bool
  /// The default value; empty if there is none, or if the details say it.
  let defaultValue: String
  /// The environment variables that are used without the option, in order.
  let environment: [String]
  /// One line: an imperative or a noun phrase, without a full stop.
  let summary: String
  /// Further sentences, with a markup that `Prose` explains.
  let details: String
  /// Applies the option to the settings; the value is nil if none was given.
  let apply: (inout Settings, String?) throws(UsageError) -> Void

  /// An option without a value.
  static func flag(
    _ long: String, short: Unicode.Scalar? = nil, aliases: [String] = [], common: Bool = false,
    _ summary: String, _ details: String = "",
    apply: @escaping (inout Settings) throws(UsageError) -> Void
  ) -> Option {
    Option(
      long: long, short: short, aliases: aliases, argument: .none, valueName: "", completion: .none,
      repeats: false, isCommon: common, defaultValue: "", environment: [], summary: summary, details: details
    ) { (settings, _) throws(UsageError) in try apply(&settings) }
  }

  /// An option with a value.
  static func value(
    _ long: String, short: Unicode.Scalar? = nil, aliases: [String] = [], _ valueName: String,
    complete completion: Completion = .none, repeats: Bool = false, common: Bool = false,
    default defaultValue: String = "", environment: [String] = [], _ summary: String, _ details: String = "",
    apply: @escaping (inout Settings, String) throws(UsageError) -> Void
  ) -> Option {
    Option(
      long: long, short: short, aliases: aliases, argument: .required, valueName: valueName,
      completion: completion, repeats: repeats, isCommon: common, defaultValue: defaultValue,
      environment: environment, summary: summary, details: details
    ) { (settings, value) throws(UsageError) in try apply(&settings, value ?? "") }
  }

  /// An option whose value can be left out.
  static func optional(
    _ long: String, _ valueName: String, apart: ((String) -> Bool)? = nil,
    complete completion: Completion = .none, common: Bool = false, default defaultValue: String = "",
    _ summary: String, _ details: String = "",
    apply: @escaping (inout Settings, String?) throws(UsageError) -> Void
  ) -> Option {
    Option(
      long: long, short: nil, aliases: [], argument: apart.map(Argument.optionalApart) ?? .optional,
      valueName: valueName, completion: completion, repeats: false, isCommon: common,
      defaultValue: defaultValue, environment: [], summary: summary, details: details, apply: apply)
  }

  /// Whether a value is required: in the same word or in the next one.
  var needsValue: Bool { if case .required = argument { true } else { false } }

  var isFlag: Bool { if case .none = argument { true } else { false } }

  /// All names with their dashes, the short one first.
  var names: [String] { (short.map { ["-\($0)"] } ?? []) + ([long] + aliases).map { "--\($0)" } }

  /// The names and the value: "-q, --queue <name>".
  var heading: String { heading(names) }

  var headingWithoutAliases: String { heading((short.map { ["-\($0)"] } ?? []) + ["--\(long)"]) }

  private func heading(_ names: [String]) -> String {
    let names = names.joined(separator: ", ")
    return switch argument {
    case .none: names
    case .required: "\(names) <\(valueName)>"
    case .optional: "\(names)[=<\(valueName)>]"
    case .optionalApart: "\(names) [<\(valueName)>]"
    }
  }
}

/// Options that belong together, under one title in the help and in the manual.
struct OptionGroup {
  let title: String
  /// A paragraph before the options, with the markup of `Prose`.
  var introduction = ""
  let options: [Option]
}

/// Why a command line is refused: what is wrong and, if known, what is accepted instead.
struct UsageError: Error, Equatable {
  let reason: String
  let advice: String?

  init(_ reason: String, use advice: String? = nil) {
    self.reason = reason
    self.advice = advice
  }
}
