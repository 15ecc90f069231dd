internal import Glibc

/// Resolves a host name without blocking: if a name server is needed, getaddrinfo(3) runs on a thread of its own,
/// which is abandoned when it takes too long.
///
/// The thread and the caller share only this object. The thread writes to the pipe after its last access to the
/// object, and the caller reads the result only after that.
@safe final class HostResolver {
  /// A socket's address.
  struct Endpoint {
    let family: Int32
    let type: Int32
    let address: [UInt8]
  }

  private let host: String
  private let port: UInt16
  private var code = EAI_AGAIN
  private var found: [Endpoint] = []
  private var isDone = false
  /// Both ends of the pipe stay open until the thread has released this object, so that a late write has a reader.
  private var ends: [Int32] = [-1, -1]

  init(host: String, port: UInt16) {
    (self.host, self.port) = (host, port)
    let isLocal = host == "localhost"
    look(flags: isLocal ? 0 : AI_NUMERICHOST)
    isDone = isLocal || code == 0 || !startThread()
  }

  deinit { for end in ends where end >= 0 { close(end) } }

  /// Readable when the name is resolved.
  var descriptor: Int32 { ends[0] }

  /// The host's addresses; nil while it is being resolved, until `deadline`.
  ///
  /// - Throws: `unresolvable`, `shortage`.
  func endpoints(by deadline: Deadline) throws(AMQPError) -> [Endpoint]? {
    isDone = isDone || isReady(ends[0], POLLIN)
    guard isDone || deadline.hasPassed else { return nil }
    let code = isDone ? code : EAI_AGAIN
    if code == 0 { return found }
    let (kind, reason): (AMQPError.Kind, String) =
      switch code {
      case EAI_AGAIN: (.unresolvable, "no name server answered in time")
      case EAI_MEMORY: (.shortage, "there are no descriptors or memory left for it")
      default: (.unresolvable, unsafe String(cString: gai_strerror(code)))
      }
    throw AMQPError(kind, "look up '\(host)'", reason)
  }

  /// - Returns: false when no thread could be created, so that there will be no result.
  private func startThread() -> Bool {
    code = EAI_MEMORY
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { return false }
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
      return false
    }
    pthread_detach(thread)
    return true
  }

  private func run() {
    // Signals are handled by the main thread.
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
    look(flags: 0)
    _ = unsafe write(ends[1], [0], 1)
  }

  private func look(flags: Int32) {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = flags
    var first: UnsafeMutablePointer<addrinfo>?
    code = unsafe getaddrinfo(host, String(port), &hints, &first)
    guard code == 0, let first = unsafe first else { return }
    found = unsafe sequence(first: first) { unsafe $0.pointee.ai_next }.map {
      let bytes = unsafe UnsafeRawBufferPointer(start: $0.pointee.ai_addr, count: Int($0.pointee.ai_addrlen))
      return unsafe Endpoint(
        family: $0.pointee.ai_family, type: $0.pointee.ai_socktype, address: [UInt8](bytes))
    }
    unsafe freeaddrinfo(first)
  }
}

/// Whether a descriptor is ready for `events` (POLLIN, POLLOUT) now.
func isReady(_ descriptor: Int32, _ events: Int32) -> Bool {
  var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
  return unsafe poll(&entry, 1, 0) > 0
}
