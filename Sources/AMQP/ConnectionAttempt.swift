internal import Glibc
internal import Synchronization

/// The socket of the attempt to connect that is going on; -1 is none.
private let present = Atomic<Int32>(-1)
private let wasInterrupted = Atomic<Bool>(false)

/// Lets a signal end an attempt to connect, which would wait for its whole time otherwise: neither
/// connect(2) nor rabbitmq-c's log-in can wait for anything else.
package enum ConnectionAttempt {
  /// Ends the attempt that is going on, if there is one, with a failure.
  ///
  /// Async-signal-safe.
  package static func interrupt() {
    wasInterrupted.store(true, ordering: .relaxed)
    let socket = present.load(ordering: .relaxed)
    if socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
  }

  /// Whether the attempts since `reset()` are to end.
  static var isInterrupted: Bool { wasInterrupted.load(ordering: .relaxed) }

  static func reset() {
    wasInterrupted.store(false, ordering: .relaxed)
  }

  /// From here on `interrupt()` ends what goes on on the socket, until `end()`.
  static func begin(_ socket: Int32) {
    present.store(socket, ordering: .relaxed)
    if isInterrupted { interrupt() }
  }

  /// Comes before the socket is closed, or used for anything else.
  static func end() {
    present.store(-1, ordering: .relaxed)
  }
}
