internal import ArgumentParser

/// Where tasks are kept while the broker is away, as it is typed.
struct SpoolOptions: ParsableArguments {
  @Flag(
    name: .customLong("spool"),
    help: ArgumentHelp(
      "Keep tasks on disk while the broker is away, and send what is kept first. --spool=DIR keeps it there.",
      discussion: "(default: $XDG_STATE_HOME/workq/spool/HOST_PORT_VHOST, below ~/.local/state when unset)"))
  var isOn = false

  @Option(
    name: .customLong("spool-directory"),
    help: ArgumentHelp("The same as --spool=DIR.", valueName: "dir"), completion: .directory)
  var directory: String?

  @Flag(help: "Only send what is kept.")
  var flushSpool = false

  func validate() throws {
    if directory?.isEmpty == true { throw ValidationError("--spool-directory is empty.") }
  }

  /// GNU's way to give an option a value that may be left out, which the parser does not know.
  static func expanded(_ arguments: [String]) -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.count
    return arguments.enumerated().map { index, argument in
      index < end && argument.hasPrefix("--spool=") ? "--spool-directory=" + argument.dropFirst(8) : argument
    }
  }

  var settings: SpoolSettings {
    SpoolSettings(
      isUsed: isOn || directory != nil || flushSpool, directory: directory, onlyFlushes: flushSpool)
  }
}
