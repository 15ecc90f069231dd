/// A subcommand: its help, its options, and what it does.
struct Subcommand {
  /// The arguments that it takes besides options.
  enum Operands {
    /// At most this number of arguments, with this name in the help; nil means any number.
    case list(String, atMost: Int?)
    /// Exactly these.
    case exactly([String])
    /// A command, after `--`.
    case command
  }

  let name: String
  /// One line, an imperative without a full stop.
  let summary: String
  let operands: Operands
  /// Command lines, each with a remark.
  let examples: String
  /// Paragraphs, one on each line, with the markup of `Prose`.
  let description: String
  /// Its own options first.
  let groups: () -> [OptionGroup]
  /// Refuses options that contradict each other.
  var check: (Settings) throws(UsageError) -> Void = { _ in }
  let run: (Settings) throws -> Void

  /// In the order of the help.
  static let names = ["publish", "work", "status", "failed", "retry", "peek", "move", "declare", "purge"]

  static var all: [Subcommand] { names.compactMap(named) }

  static func named(_ name: String) -> Subcommand? {
    switch name {
    case "publish": Publish.subcommand
    case "work": Work.subcommand
    case "status": Status.subcommand
    case "failed": Failed.subcommand
    case "retry": Retry.subcommand
    case "peek": Peek.subcommand
    case "move": Move.subcommand
    case "declare": Declare.subcommand
    case "purge": Purge.subcommand
    default: nil
    }
  }

  /// The command line without the program's name: "work [options] [-- command [argument...]]".
  var usage: String {
    let operands: String =
      switch operands {
      case .list(let name, atMost: 1): "[\(name)]"
      case .list(let name, _): "[\(name)...]"
      case .exactly(let names): names.joined(separator: " ")
      case .command: "[-- command [argument...]]"
      }
    return "\(name) [options] \(operands)"
  }

  var options: [Option] { groups().flatMap(\.options) }
}
