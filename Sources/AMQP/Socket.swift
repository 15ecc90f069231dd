internal import Glibc

/// Opens TCP connections, each step with a deadline.
enum Socket {
  /// Connects to the first of the host's addresses that answers.
  ///
  /// - Returns: a non-blocking descriptor that the caller owns.
  /// - Throws: `unresolvable`, `unreachable` or `shortage`, in the system's words; `interrupted`.
  static func connect(host: String, port: UInt16, by deadline: Deadline) throws(AMQPError) -> Int32 {
    let first = try unsafe resolve(host: host, port: port, by: deadline)
    defer { unsafe freeaddrinfo(first) }
    let addresses = unsafe Array(sequence(first: first) { unsafe $0.pointee.ai_next })
    var failure = AMQPError(.unresolvable, "connect", "the name '\(host)' has no address")
    for unsafe(index, address) in unsafe addresses.enumerated() {
      // A part of the time for each, so that one that does not answer leaves some for the others.
      let share = (deadline.remaining ?? .seconds(3600)) / (unsafe addresses.count - index)
      do throws(AMQPError) {
        return try unsafe connect(to: address.pointee, by: .after(share))
      } catch {
        guard error.kind != .interrupted else { throw error }
        failure = error
      }
    }
    throw failure
  }

  private static func connect(to address: addrinfo, by deadline: Deadline) throws(AMQPError) -> Int32 {
    let descriptor = unsafe socket(
      address.ai_family, address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failed(errno) }
    var yes: Int32 = 1
    unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &yes, 4)
    do throws(AMQPError) {
      if unsafe Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
        guard errno == EINPROGRESS else { throw failed(errno) }
        let isReady = try Interruption.wait(
          for: descriptor, POLLOUT, orInterrupt: Interruption.attempt, until: deadline, "connect")
        guard isReady else { throw failed(ETIMEDOUT) }
        var (code, size) = (Int32(0), socklen_t(4))
        unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        guard code == 0 else { throw failed(code) }
      }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func failed(_ code: Int32) -> AMQPError {
    AMQPError(code: code, .unreachable, "connect")
  }

  /// Resolves a host name, in a thread of its own where a name server has to be asked.
  private static func resolve(
    host: String, port: UInt16, by deadline: Deadline
  ) throws(AMQPError) -> UnsafeMutablePointer<addrinfo> {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    let mayNeedServer = host != "localhost"
    unsafe hints.ai_flags = mayNeedServer ? AI_NUMERICHOST : 0
    var found: UnsafeMutablePointer<addrinfo>?
    var code = unsafe getaddrinfo(host, String(port), &hints, &found)
    if mayNeedServer && code != 0 {
      unsafe hints.ai_flags = 0
      let resolver = unsafe HostResolver(host: host, port: port, hints: hints)
      unsafe (code, found) = try resolver.resolve(by: deadline)
    }
    if let found = unsafe found { return unsafe found }
    let (kind, words): (AMQPError.Kind, String) =
      switch code {
      case EAI_AGAIN: (.unresolvable, "no name server answered in time")
      case EAI_MEMORY: (.shortage, "there are no descriptors or memory left for it")
      default: (.unresolvable, unsafe String(cString: gai_strerror(code)))
      }
    throw AMQPError(kind, "look up '\(host)'", words)
  }
}
