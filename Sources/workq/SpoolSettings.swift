internal import AMQP
internal import WorkQueue

/// Where tasks are kept while the broker is away.
struct SpoolSettings: Equatable {
  /// Whether there is a spool at all.
  var isUsed = false
  /// nil is one of each broker's own.
  var directory: String?
  /// Whether only what is kept is sent.
  var onlyFlushes = false

  /// The directory named, or the one for this broker.
  func path(for address: Address) throws(Failure) -> String {
    if let directory { return directory }
    guard let state = Environment["XDG_STATE_HOME"] ?? Environment["HOME"].map({ $0 + "/.local/state" })
    else {
      throw Failure(.cannotCreate, "HOME is not set: name the spool's directory with --spool=DIR")
    }
    return "\(state)/workq/spool/\(Spool.directoryName(for: address))"
  }
}
