import TestSupport
import Testing

/// The program's help.
enum Help {
  static func text(_ arguments: [String]) throws -> String {
    let result = try Program.workq(arguments + ["--help"]).run()
    try #require(result.status == 0, "\(result.error)")
    return result.output
  }

  static func subcommands() throws -> [String] {
    let list = try #require(try text([]).split(separator: "Subcommands:\n").last)
    return list.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }.compactMap {
      $0.firstMatch(of: #/^  ([a-z]+)  /#).map { String($0.1) }
    }
  }

  /// The options in the left column, as they are typed.
  static func options(_ arguments: [String]) throws -> Set<String> {
    let columns = try text(arguments).matches(of: #/\n  (-[\w-]+(?:, -[\w-]+)*)/#)
    return Set(columns.flatMap { $0.1.split(separator: ", ").map(String.init) })
  }
}
