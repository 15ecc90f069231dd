internal import Glibc
internal import Synchronization

/// The socket that the alarm ends; -1 is none.
private let guardedSocket = Atomic<Int32>(-1)

/// Gives a send the deadline that rabbitmq-c does not: its functions wait without limit for a broker that
/// has stopped reading.
///
/// The alarm's handler calls shutdown(2) on the socket, which is async-signal-safe, and the waiting
/// send ends with an error.
enum SendTimer {
  private static let handlerIsInstalled: Bool = {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in
      let saved = errno
      _ = shutdown(guardedSocket.load(ordering: .relaxed), Int32(SHUT_RDWR))
      errno = saved
    }
    return unsafe sigaction(SIGALRM, &action, nil) == 0
  }()

  /// Runs `send`, which writes to `socket`, and ends it after `limit`.
  ///
  /// - Returns: what `send` returned, and whether the limit ended it.
  static func run(_ limit: Duration, socket: Int32, _ send: () -> Int32) -> (status: Int32, timedOut: Bool) {
    precondition(handlerIsInstalled)
    guardedSocket.store(socket, ordering: .relaxed)
    let end = Deadline.after(limit)
    set(max(limit, .milliseconds(1)))
    let status = send()
    set(.zero)
    guardedSocket.store(-1, ordering: .relaxed)
    return (status, status < 0 && end.hasPassed)
  }

  private static func set(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    var timer = itimerval()
    timer.it_value = timeval(
      tv_sec: Int(min(seconds, 1_000_000_000)), tv_usec: Int(attoseconds / 1_000_000_000_000))
    unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
  }
}
