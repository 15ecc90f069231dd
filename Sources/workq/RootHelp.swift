internal import ArgumentParser

/// The program's own help, in the parser's words and looks.
///
/// The parser finds out by reflection what it may say, and needs twice as long for that as the whole program
/// otherwise. That both say the same, a test compares.
enum RootHelp {
  static func isMeant(by arguments: [String]) -> Bool {
    switch arguments.count {
    case 0: true
    case 1: arguments[0] == "--help" || arguments[0] == "-h"
    default: false
    }
  }

  /// For as many columns as there are; nil when they are too few for what is here.
  static func text(columns: Int = Terminal.columns) -> String? {
    guard columns >= 80 else { return nil }
    let configuration = Workq.configuration
    var text = "OVERVIEW: \(configuration.abstract)\n\n"
    for paragraph in configuration.discussion.split(separator: "\n", omittingEmptySubsequences: false) {
      for line in wrapped(paragraph, to: columns) { text += line + "\n" }
    }
    text += """

      USAGE: workq <subcommand>

      OPTIONS:
        --version               Show the version.
        -h, --help              Show help information.

      SUBCOMMANDS:

      """
    for subcommand in configuration.subcommands {
      text += "  \(subcommand._commandName.padded(to: 22))  \(subcommand.configuration.abstract)\n"
    }
    return text + "\n  See 'workq help <subcommand>' for detailed help."
  }

  /// A paragraph as lines that are shorter than that, as far as blanks allow it.
  private static func wrapped(_ paragraph: Substring, to columns: Int) -> [Substring] {
    var (lines, rest) = ([Substring](), paragraph)
    while rest.utf8.count >= columns,
      let space = rest.utf8.prefix(columns).lastIndex(of: UInt8(ascii: " "))
    {
      lines.append(rest[..<space])
      rest = rest[rest.utf8.index(after: space)...]
    }
    return lines + [rest]
  }
}
