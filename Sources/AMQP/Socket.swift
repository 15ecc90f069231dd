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
    var addresses = unsafe [UnsafeMutablePointer<addrinfo>]()
    var next = unsafe first
    while let address = unsafe next {
      unsafe addresses.append(address)
      unsafe next = address.pointee.ai_next
    }
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
        let code = try result(of: descriptor, by: deadline)
        guard code == 0 else { throw failed(code) }
      }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// Waits for a connection in progress.
  ///
  /// - Returns: an errno, 0 when it is established.
  private static func result(of descriptor: Int32, by deadline: Deadline) throws(AMQPError) -> Int32 {
    let isReady = try Interruption.wait(
      for: descriptor, POLLOUT, orInterrupt: Interruption.attempt, until: deadline, "connect")
    guard isReady else { return ETIMEDOUT }
    var code: Int32 = 0
    var size = socklen_t(4)
    unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
    return code
  }

  private static func failed(_ code: Int32) -> AMQPError {
    AMQPError(code: code, .unreachable, "connect")
  }

  /// Resolves a host name, in a thread of its own where a name server has to be asked.
  private static func resolve(
    host: String, port: UInt16, by deadline: Deadline
  ) throws(AMQPError) -> UnsafeMutablePointer<addrinfo>? {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_NUMERICHOST
    var found: UnsafeMutablePointer<addrinfo>?
    if unsafe getaddrinfo(host, String(port), &hints, &found) == 0 { return unsafe found }
    unsafe hints.ai_flags = 0
    if host == "localhost" {
      // Needs no server, and so no thread.
      let code = unsafe getaddrinfo(host, String(port), &hints, &found)
      guard code == 0 else { throw unresolvable(host, code) }
      return unsafe found
    }
    let resolver = unsafe HostResolver(host: host, port: port, hints: hints)
    let code = try resolver.resolve(by: deadline)
    guard code == 0 else { throw unresolvable(host, code) }
    return unsafe resolver.takeResult()
  }

  private static func unresolvable(_ host: String, _ code: Int32) -> AMQPError {
    let operation = "look up '\(host)'"
    return switch code {
    case EAI_AGAIN: AMQPError(.unresolvable, operation, "no name server answered in time")
    case EAI_MEMORY: AMQPError(.shortage, operation, "there are no descriptors or memory left for it")
    default: AMQPError(.unresolvable, operation, unsafe String(cString: gai_strerror(code)))
    }
  }
}
