internal import Glibc

/// Opens TCP connections, with the deadline and the error messages that rabbitmq-c's own way lacks: it
/// looks names up without a time limit, and reports a refused connection as "socket error".
enum Socket {
  /// Connects to the first of the host's addresses that answers.
  ///
  /// - Returns: a non-blocking descriptor that the caller owns.
  /// - Throws: `unresolvable`, `unreachable` or `shortage`, in the system's words.
  static func connect(host: String, port: UInt16, by deadline: Deadline) throws(AMQPError) -> Int32 {
    let first = try unsafe lookUp(host: host, port: port, by: deadline)
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
        failure = error
      }
    }
    throw failure
  }

  /// The IP address at the other end, as text.
  static func peerAddress(of descriptor: Int32) -> String? {
    var address = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
        guard unsafe getpeername(descriptor, address, &size) == 0 else { return EAI_FAIL }
        return unsafe getnameinfo(
          address, size, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
      }
    }
    guard code == 0 else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private static func connect(to address: addrinfo, by deadline: Deadline) throws(AMQPError) -> Int32 {
    let descriptor = unsafe socket(
      address.ai_family, address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failed(errno) }
    ConnectionAttempt.begin(descriptor)
    defer { ConnectionAttempt.end() }
    var yes: Int32 = 1
    unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &yes, 4)
    var code: Int32 = 0
    if unsafe Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
      code = errno
      if code == EINPROGRESS { code = result(of: descriptor, by: deadline) }
    }
    guard code == 0 else {
      ConnectionAttempt.end()
      close(descriptor)
      throw failed(code)
    }
    return descriptor
  }

  /// Waits for a connection under way.
  ///
  /// - Returns: an errno, 0 when it is established.
  private static func result(of descriptor: Int32, by deadline: Deadline) -> Int32 {
    while true {
      var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      let ready = unsafe poll(&entry, 1, deadline.pollMilliseconds)
      if ready == 0 { return ETIMEDOUT }
      if ready < 0 && errno != EINTR { return errno }
      if ready > 0 { break }
    }
    var code: Int32 = 0
    var size = socklen_t(4)
    unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
    return code
  }

  private static func failed(_ code: Int32) -> AMQPError {
    AMQPError(code: code, .unreachable, "connect")
  }

  /// Looks a host up, in another thread of the C library's where the name has to be asked for.
  private static func lookUp(
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
    let request = unsafe LookUp(host: host, port: port, hints: hints)
    let code = request.run(by: deadline)
    guard code == 0 else { throw unresolvable(host, code) }
    return unsafe request.takeResult()
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
