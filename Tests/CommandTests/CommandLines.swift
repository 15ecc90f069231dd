@testable import workq

/// Parses command lines for tests.
enum CommandLines {
  /// The settings of a command line that runs a subcommand.
  static func settings(_ arguments: [String]) throws(Failure) -> Settings {
    guard case .run(_, let settings) = try Invocation.parse(arguments) else {
      throw Failure(.software, "this is no command line that runs a subcommand: \(arguments)")
    }
    return settings
  }
}
