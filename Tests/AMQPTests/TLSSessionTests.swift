import COpenSSL
import Foundation
import TestSupport
import Testing

@testable import AMQP

/// Tests TLS against an OpenSSL server in the same process, over a socket pair.
@Suite(.alone) final class TLSSessionTests {
  /// The server, which runs in its own thread because its calls block.
  private final class Server: @unchecked Sendable {
    private let descriptor: Int32
    private let context = SSL_CTX_new(TLS_server_method())
    private let session: OpaquePointer?
    private let done = DispatchSemaphore(value: 0)

    init(_ descriptor: Int32, certificates: String) {
      self.descriptor = descriptor
      SSL_CTX_use_certificate_chain_file(context, "\(certificates)/server.pem")
      SSL_CTX_use_PrivateKey_file(context, "\(certificates)/server.key", SSL_FILETYPE_PEM)
      session = SSL_new(context)
      SSL_set_fd(session, descriptor)
    }

    deinit {
      SSL_free(session)
      SSL_CTX_free(context)
      close(descriptor)
    }

    /// Accepts the handshake, then runs `body`, in a new thread.
    func serve(_ body: @escaping @Sendable (Server) -> Void) {
      Thread.detachNewThread { [self] in
        if SSL_accept(session) == 1 { body(self) }
        done.signal()
      }
    }

    func wait() -> Bool { done.wait(timeout: .now() + 60) == .success }

    func write(_ bytes: [UInt8]) -> Bool {
      SSL_write(session, bytes, Int32(bytes.count)) == Int32(bytes.count)
    }

    /// Reads `count` bytes, or fewer when the connection ends.
    func read(_ count: Int) -> [UInt8] {
      var (all, piece) = ([UInt8](), [UInt8](repeating: 0, count: 16_384))
      while all.count < count {
        let read = SSL_read(session, &piece, Int32(min(piece.count, count - all.count)))
        guard read > 0 else { break }
        all += piece[..<Int(read)]
      }
      return all
    }

    /// Requests a key update of both sides, which takes effect with the next write.
    func updateKeys() -> Bool { SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED) == 1 }
    func shutDown() { SSL_shutdown(session) }
    func cut() { shutdown(descriptor, Int32(SHUT_RDWR)) }
    /// Whether the client has sent close_notify.
    var hasSeenEnd: Bool { SSL_get_shutdown(session) & SSL_RECEIVED_SHUTDOWN != 0 }
    var isResumed: Bool { SSL_session_reused(session) == 1 }
  }

  /// The directory of this test's certificates.
  private let directory = NSTemporaryDirectory() + "workq-tls-\(UUID().uuidString)"

  init() throws {
    // For the server: OpenSSL's socket writes raise SIGPIPE.
    signal(SIGPIPE, SIG_IGN)
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let result = try Program("\(TestEnvironment.repository)/Tests/TestSupport/certificates", [directory])
      .run()
    try #require(result.status == 0, "\(result.error)")
  }

  deinit {
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Two connected sockets; the client's (`ours`) is non-blocking.
  private func sockets(buffer: Int32? = nil) throws -> (ours: Int32, theirs: Int32) {
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    _ = fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_NONBLOCK)
    if var buffer { setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, 4) }
    return (ends[0], ends[1])
  }

  /// Connects a client to a new `server`, which runs `body` after the handshake.
  private func connect(
    _ server: inout Server?, buffer: Int32? = nil, _ body: @escaping @Sendable (Server) -> Void
  ) throws -> Transport {
    let (ours, theirs) = try sockets(buffer: buffer)
    let peer = Server(theirs, certificates: directory)
    peer.serve(body)
    server = peer
    var settings = Address.TLS()
    settings.caFile = FilePath("\(directory)/ca.pem")
    let tls = try TLS(for: Address(), settings)
    try tls.beginHandshake(on: ours)
    while try !tls.handshake(by: .after(.seconds(60))) { wait(for: ours, tls.holdsOutput ? POLLOUT : POLLIN) }
    return Transport(descriptor: ours, tls: tls)
  }

  private func wait(for descriptor: Int32, _ events: Int32) {
    var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    poll(&entry, 1, 60_000)
  }

  /// Reads at least `count` bytes, or until the connection ends.
  private func read(_ count: Int, from transport: inout Transport, piece: Int = 65_536) -> [UInt8] {
    var (all, buffer) = ([UInt8](), [UInt8](repeating: 0, count: piece))
    while all.count < count {
      switch buffer.withUnsafeMutableBytes({ transport.read(into: $0) }) {
      case .done(let count): all += buffer[..<count]
      case .blocked: wait(for: transport.descriptor, POLLIN)
      case .end, .failed: return all
      }
    }
    return all
  }

  private static func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
  }

  @Test func `writes arrive complete when the socket accepts only parts of them`() throws {
    let bodies = (1...40).map { Self.pattern($0 * 3000) }
    let total = bodies.reduce(0) { $0 + $1.count }
    nonisolated(unsafe) var received: [UInt8] = []
    var server: Server?
    var transport = try connect(&server, buffer: 1) { received = $0.read(total) }
    var writer = FrameWriter()
    for body in bodies {
      writer.append(body)
      _ = writer.flush(to: &transport)
    }
    while !writer.isEmpty || transport.holdsOutput {
      wait(for: transport.descriptor, POLLOUT)
      _ = writer.flush(to: &transport)
      try #require(writer.failure == nil)
    }
    #expect(server?.wait() == true)
    let areEqual = received == bodies.flatMap(\.self)
    #expect(areEqual)
  }

  @Test func `keeps input that poll does not report when a TLS record is larger than the buffer`() throws {
    let sent = Self.pattern(16_000)
    var server: Server?
    var transport = try connect(&server) { _ = $0.write(sent) }
    #expect(server?.wait() == true)
    var received = read(1, from: &transport, piece: 100)
    while transport.holdsInput { received += read(1, from: &transport, piece: 100) }
    #expect(received == sent)
  }

  @Test func `continues when the broker updates its TLS keys while both sides send`() throws {
    let piece = Self.pattern(50_000)
    nonisolated(unsafe) var received: [UInt8] = []
    var server: Server?
    var transport = try connect(&server, buffer: 1) { server in
      for _ in 1...10 where server.updateKeys() && server.write(piece) {}
      received = server.read(10 * piece.count)
      _ = server.write([1])
    }
    var writer = FrameWriter()
    for _ in 1...10 { writer.append(piece) }
    var (heard, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
    while heard.count <= 10 * piece.count {
      _ = writer.flush(to: &transport)
      try #require(writer.failure == nil)
      let result = buffer.withUnsafeMutableBytes { transport.read(into: $0) }
      if case .done(let count) = result {
        heard += buffer[..<count]
        continue
      }
      try #require(result == .blocked, "after \(heard.count) bytes")
      let writes = !writer.isEmpty || transport.holdsOutput
      wait(for: transport.descriptor, writes ? POLLIN | POLLOUT : POLLIN)
    }
    #expect(server?.wait() == true)
    #expect(received.count == 10 * piece.count)
    #expect(heard.dropLast() == (1...10).flatMap { _ in piece }[...])
  }

  @Test(arguments: [true, false]) func `reports EOF with or without close_notify`(isAnnounced: Bool) throws {
    var server: Server?
    var transport = try connect(&server) { if isAnnounced { $0.shutDown() } else { $0.cut() } }
    #expect(server?.wait() == true)
    var buffer = [UInt8](repeating: 0, count: 100)
    wait(for: transport.descriptor, POLLIN)
    let result = buffer.withUnsafeMutableBytes { transport.read(into: $0) }
    #expect(result == .end)
  }

  @Test func `announces the end of the connection with close_notify`() throws {
    var server: Server?
    let transport = try connect(&server) { _ = $0.read(1) }
    transport.announceEnd()
    #expect(server?.wait() == true)
    #expect(server?.hasSeenEnd == true)
  }

  @Test func `a write to a closed connection fails without SIGPIPE`() throws {
    let before = signal(SIGPIPE, SIG_DFL)
    defer { signal(SIGPIPE, before) }
    var server: Server?
    var transport = try connect(&server) { $0.cut() }
    #expect(server?.wait() == true)
    var writer = FrameWriter()
    for _ in 1...3 {
      writer.append(Self.pattern(100_000))
      _ = writer.flush(to: &transport)
    }
    #expect(writer.failure?.kind == .lost)
  }

  @Test func `does not resume a TLS session`() throws {
    for _ in 1...2 {
      nonisolated(unsafe) var isResumed: Bool?
      var server: Server?
      _ = try connect(&server) { isResumed = $0.isResumed }
      #expect(server?.wait() == true)
      #expect(isResumed == false)
    }
  }

  @Test func `a TLS handshake fails when the peer sends no reply before the deadline`() throws {
    let (ours, theirs) = try sockets()
    defer {
      close(ours)
      close(theirs)
    }
    let tls = try TLS(for: Address(), Address.TLS())
    try tls.beginHandshake(on: ours)
    try expect(tls.handshake(by: .after(.seconds(60))), equals: false)
    let expected = AMQPError(.noBroker, "connect", "the TLS handshake had no answer in time")
    #expect(throws: expected) { try tls.handshake(by: .now) }
  }
}
