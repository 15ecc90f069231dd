internal import Glibc

/// The bytes of a connection, plain or over TLS.
///
/// It never blocks.
struct Transport: ~Copyable {
  /// The result of a read or write.
  enum Result: Equatable {
    /// This many bytes were read or written.
    case done(Int)
    /// The socket is not readable or writable, respectively.
    case blocked
    /// The peer has closed the connection.
    case end
    /// The connection failed.
    case failed(AMQPError)
  }

  /// Until the connection is open.
  private var dialer: Dialer?
  private var socket: Int32
  private let tls: TLS?

  /// Begins to connect; reads and writes continue this, and return `blocked` until the connection is open.
  ///
  /// - Throws: `badFile`, `tls`.
  init(to address: Address, by deadline: Deadline) throws(AMQPError) {
    // An unusable file is reported before a connection is attempted.
    if let settings = address.tls { tls = try TLS(for: address, settings) } else { tls = nil }
    (dialer, socket) = (Dialer(to: address, tls, by: deadline), -1)
  }

  /// Takes ownership of a connected non-blocking socket.
  init(descriptor: Int32, tls: TLS? = nil) {
    (dialer, socket, self.tls) = (nil, descriptor, tls)
  }

  deinit {
    if socket >= 0 { close(socket) }
  }

  var descriptor: Int32 { dialer?.descriptor ?? socket }
  var isOpen: Bool { dialer == nil }
  /// Whether it waits until `descriptor` is writable; nil when the connection is open.
  var waitsForWriting: Bool? { dialer?.waitsForWriting }
  /// When to continue, if `descriptor` is not ready before.
  var nextDeadline: Deadline { dialer?.nextDeadline ?? .never }

  /// Continues to connect.
  ///
  /// - Returns: nil when the connection is open.
  private mutating func dial(_ dialer: Dialer) -> Result? {
    do throws(AMQPError) {
      guard let socket = try dialer.advance() else { return .blocked }
      (self.socket, self.dialer) = (socket, nil)
      return nil
    } catch {
      return .failed(error)
    }
  }

  /// Whether a read may succeed although poll(2) does not show it.
  var holdsInput: Bool { dialer == nil && tls?.holdsInput == true }

  /// Why TLS ended the connection, if the peer gave a reason.
  func refusal(_ operation: String) -> AMQPError? { tls?.refusal(operation) }

  mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Result {
    if let dialer, let result = dial(dialer) { return result }
    if let tls { return unsafe tls.read(into: buffer) }
    while true {
      let count = unsafe recv(socket, buffer.baseAddress, buffer.count, 0)
      if count > 0 { return .done(count) }
      if count == 0 { return .end }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .blocked
      case ECONNRESET: return .end
      default: return .failed(AMQPError(code: errno, .lost, "read from the broker"))
      }
    }
  }

  /// Writes as many bytes as the socket accepts; with `hasMore` the kernel may wait for more before it sends them.
  mutating func write(_ bytes: UnsafeRawBufferPointer, hasMore: Bool) -> Result {
    if let dialer, let result = dial(dialer) { return result }
    if let tls { return unsafe tls.write(bytes) }
    return unsafe Self.send(bytes, to: socket, hasMore: hasMore)
  }

  /// Whether written bytes are not sent yet.
  var holdsOutput: Bool { dialer == nil && tls?.holdsOutput == true }

  /// Sends such bytes.
  mutating func flush() -> Result { tls?.flush() ?? .done(0) }

  /// send(2), without SIGPIPE.
  static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, hasMore: Bool = false) -> Result {
    let flags = Int32(MSG_NOSIGNAL | (hasMore ? MSG_MORE : 0))
    while true {
      let count = unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
      if count >= 0 { return .done(count) }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .blocked
      default: return .failed(AMQPError(code: errno, .lost, "send to the broker"))
      }
    }
  }

  /// Announces the end of the data (close_notify), with TLS.
  func announceEnd() {
    if dialer == nil { tls?.announceEnd() }
  }
}
