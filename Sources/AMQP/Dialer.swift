internal import Glibc

/// Opens a TCP connection to the first of a host's addresses that answers, and performs the TLS handshake.
///
/// It never blocks: its owner calls `advance()` when `descriptor` is ready or `nextDeadline` has passed.
final class Dialer {
  private enum Step { case resolving, connecting, handshaking }

  private let host: String
  private let tls: TLS?
  private let deadline: Deadline
  private let resolver: HostResolver
  private var step = Step.resolving
  private var rest: ArraySlice<HostResolver.Endpoint> = []
  private var socket: Int32 = -1
  /// Why the last address did not answer, or why none did.
  private var failure: AMQPError?
  private var isOver = false
  private(set) var nextDeadline: Deadline

  init(to address: Address, _ tls: TLS?, by deadline: Deadline) {
    (host, self.tls, self.deadline, nextDeadline) = (address.host, tls, deadline, deadline)
    resolver = HostResolver(host: address.host, port: address.port)
  }

  deinit { if socket >= 0 { close(socket) } }

  var descriptor: Int32 { step == .resolving ? resolver.descriptor : socket }
  /// Whether it waits until `descriptor` is writable, instead of readable.
  var waitsForWriting: Bool {
    switch step {
    case .resolving: false
    case .connecting: true
    case .handshaking: tls?.holdsOutput == true
    }
  }

  /// Continues as far as possible without blocking.
  ///
  /// - Returns: the non-blocking socket, which the caller then owns; nil while it is not connected.
  /// - Throws: `unresolvable`, `unreachable`, `shortage`, `noBroker` or `tls`; further calls throw the same error.
  func advance() throws(AMQPError) -> Int32? {
    if isOver, let failure { throw failure }
    do throws(AMQPError) {
      if step == .resolving {
        guard let endpoints = try resolver.endpoints(by: deadline) else { return nil }
        rest = endpoints[...]
        try connectNext()
      }
      while step == .connecting {
        if isReady(socket, POLLOUT) {
          var (code, size) = (Int32(0), socklen_t(4))
          unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size)
          if code == 0 { try connected() } else { try connectNext(after: code) }
        } else if nextDeadline.hasPassed {
          try connectNext(after: ETIMEDOUT)
        } else {
          return nil
        }
      }
      if let tls { guard try tls.handshake(by: deadline) else { return nil } }
    } catch {
      (failure, isOver) = (error, true)
      throw error
    }
    defer { socket = -1 }
    return socket
  }

  /// Begins to connect to the next address, after a failure with another.
  private func connectNext(after code: Int32? = nil) throws(AMQPError) {
    var code = code
    while true {
      if socket >= 0 { close(socket) }
      socket = -1
      failure = code.map { AMQPError(code: $0, .unreachable, "connect") } ?? failure
      guard let next = rest.popFirst() else {
        throw failure ?? AMQPError(.unresolvable, "connect", "the name '\(host)' has no address")
      }
      // Each address gets a part of the time, so that one that does not answer leaves time for the others.
      nextDeadline = .after((deadline.remaining ?? .seconds(3600)) / (rest.count + 1))
      socket = Glibc.socket(next.family, next.type | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
      if socket >= 0 {
        var yes: Int32 = 1
        unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
        unsafe setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &yes, 4)
        let result = unsafe next.address.withUnsafeBytes {
          unsafe Glibc.connect(
            socket, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        if result == 0 { return try connected() }
        if errno == EINPROGRESS {
          step = .connecting
          return
        }
      }
      code = errno
    }
  }

  private func connected() throws(AMQPError) {
    (step, nextDeadline) = (.handshaking, deadline)
    try tls?.beginHandshake(on: socket)
  }
}
