internal import AMQP
internal import WorkQueue

/// Where tasks are kept while the broker is away.
struct SpoolSettings: Equatable {
  /// Whether there is a spool at all.
  var isUsed = false
  /// nil is one of each broker's own.
  var directory: FilePath?
  /// Whether only what is kept is sent.
  var onlyFlushes = false

  /// The directory named, or the one for this broker.
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
