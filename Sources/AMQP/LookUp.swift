internal import Glibc

/// One look-up of a host name, with the deadline that getaddrinfo(3) lacks: it runs in a thread of its
/// own, which is left behind when it takes too long.
///
/// The thread and the caller share nothing but this object. The thread is done with it before it writes
/// to its end, and the caller looks at the result only after it has seen that.
@safe
final class LookUp {
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

  /// Looks the name up.
  ///
  /// - Returns: getaddrinfo's code: 0, or why there is no result; EAI_AGAIN when time ran out.
  func run(by deadline: Deadline) -> Int32 {
    guard ends[0] >= 0 else { return EAI_MEMORY }
    let shared = unsafe Unmanaged.passRetained(self).toOpaque()
    var thread = pthread_t()
    let failure = unsafe pthread_create(
      &thread, nil,
      { shared in
        guard let shared = unsafe shared else { return nil }
        let lookUp = unsafe Unmanaged<LookUp>.fromOpaque(shared).takeRetainedValue()
        lookUp.resolve()
        return nil
      }, shared)
    guard failure == 0 else {
      unsafe Unmanaged<LookUp>.fromOpaque(shared).release()
      return EAI_MEMORY
    }
    pthread_detach(thread)
    while true {
      var entry = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
      let ready = unsafe poll(&entry, 1, deadline.pollMilliseconds)
      if ready > 0 { return code }
      if ready == 0 || errno != EINTR || ConnectionAttempt.isInterrupted { return EAI_AGAIN }
    }
  }

  /// The addresses found; the caller frees them with freeaddrinfo(3).
  func takeResult() -> UnsafeMutablePointer<addrinfo>? {
    defer { unsafe found = nil }
    return unsafe found
  }

  private func resolve() {
    // The signals are the main thread's.
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
    code = unsafe getaddrinfo(host, String(port), &hints, &found)
    _ = unsafe write(ends[1], [0], 1)
  }
}
