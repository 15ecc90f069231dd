internal import AMQP
internal import ArgumentParser
internal import WorkQueue

/// Where tasks are kept while the broker is away.
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

  /// Whether there is a spool at all.
  var isUsed: Bool { isOn || directory != nil || flushSpool }

  func validate() throws {
    if directory?.isEmpty == true { throw ValidationError("--spool-directory is empty.") }
  }

  /// The directory named, or the one for this broker.
  func path(for address: Address) throws(Failure) -> String {
    if let directory { return directory }
    guard let state = Environment["XDG_STATE_HOME"] ?? Environment["HOME"].map({ $0 + "/.local/state" })
    else {
      throw Failure(.cannotCreate, "HOME is not set: name the spool's directory with --spool=DIR")
    }
    return "\(state)/workq/spool/\(Spool.directoryName(for: address))"
  }

  /// GNU's way to give an option a value that may be left out, which the parser does not know.
  static func expanded(_ arguments: [String]) -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.count
    return arguments.enumerated().map { index, argument in
      index < end && argument.hasPrefix("--spool=") ? "--spool-directory=" + argument.dropFirst(8) : argument
    }
  }
}
