internal import AMQP
internal import WorkQueue

/// Where tasks are stored while the broker is unreachable.
struct SpoolSettings: Equatable {
  /// Whether to use a spool.
  var isUsed = false
  /// nil means the broker's default directory.
  var directory: FilePath?
  /// Whether to send only the spooled tasks.
  var onlyFlushes = false

  /// The given directory, or the default for this broker.
  func path(for address: Address) throws(Failure) -> FilePath {
    if let directory { return directory }
    guard
      let state = Environment.path("XDG_STATE_HOME") ?? Environment.path("HOME").map({ $0 + "/.local/state" })
    else {
      throw Failure(.cannotCreate, "HOME is not set: name the spool's directory with --spool=DIR")
    }
    return state + "/workq/spool/\(Spool.directoryName(for: address))"
  }
}
