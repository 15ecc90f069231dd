internal import Glibc

/// Resolves one host name, with the deadline that getaddrinfo(3) lacks: that runs in a thread of its
/// own, which is left behind when it takes too long.
///
/// The thread and the caller share nothing but this object. The thread is done with it before it writes
/// to its end, and the caller looks at the result only after it has seen that.
@safe
final class HostResolver {
  private let host: String
  private let port: UInt16
  private var hints: addrinfo
  private var code = EAI_AGAIN
  private var found: UnsafeMutablePointer<addrinfo>?
  /// Both ends are ours until the thread, too, has let go: a late write finds a reader.
  private var ends: [Int32] = [-1, -1]

  init(host: String, port: UInt16, hints: addrinfo) {
    self.host = host
    self.port = port
    unsafe self.hints = hints
    unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
  }

  deinit {
    if let found = unsafe found { unsafe freeaddrinfo(found) }
    for end in ends where end >= 0 { close(end) }
  }

  /// Resolves the name.
  ///
  /// - Returns: getaddrinfo's code, EAI_AGAIN after the deadline; and the addresses, which the caller frees
  ///   with freeaddrinfo(3).
  /// - Throws: `interrupted`.
  func resolve(by deadline: Deadline) throws(AMQPError) -> (Int32, UnsafeMutablePointer<addrinfo>?) {
    guard ends[0] >= 0 else { return (EAI_MEMORY, nil) }
    let shared = unsafe Unmanaged.passRetained(self).toOpaque()
    var thread = pthread_t()
    let failure = unsafe pthread_create(
      &thread, nil,
      { shared in
        unsafe shared.map { unsafe Unmanaged<HostResolver>.fromOpaque($0).takeRetainedValue().run() }
        return nil
      }, shared)
    guard failure == 0 else {
      unsafe Unmanaged<HostResolver>.fromOpaque(shared).release()
      return (EAI_MEMORY, nil)
    }
    pthread_detach(thread)
    let isDone = try Interruption.wait(
      for: ends[0], POLLIN, orInterrupt: Interruption.attempt, until: deadline, "look up '\(host)'")
    guard isDone else { return (EAI_AGAIN, nil) }
    defer { unsafe found = nil }
    return unsafe (code, found)
  }

  private func run() {
    // The signals are the main thread's.
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
    code = unsafe getaddrinfo(host, String(port), &hints, &found)
    _ = unsafe write(ends[1], [0], 1)
  }
}
