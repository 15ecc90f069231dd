import CRabbitMQ
import Foundation
import TestSupport
import Testing

@testable import AMQP

/// Tests the log-in state machine with hand-written broker frames.
@Suite(.units) struct LoginTests {
  private static func short(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
  private static func long(_ bytes: [UInt8]) -> [UInt8] { number(UInt32(bytes.count)) + bytes }
  private static func number(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }
  private static func frame(_ method: [UInt16], _ arguments: [UInt8] = []) -> [UInt8] {
    let payload = method.flatMap { number($0) } + arguments
    return [1, 0, 0] + number(UInt32(payload.count)) + payload + [0xce]
  }
  private static func start(_ mechanisms: String = "PLAIN AMQPLAIN", version: [UInt8] = [0, 9]) -> [UInt8] {
    let properties =
      short("product") + [0x53] + long(Array("RabbitMQ".utf8)) + short("version") + [0x53]
      + long(Array("4.3.6".utf8))
    return frame(
      [10, 10], version + long(properties) + long(Array(mechanisms.utf8)) + long(Array("en_US".utf8)))
  }
  private static func tune(frameMax: UInt32 = 131_072, heartbeat: UInt16 = 60) -> [UInt8] {
    frame([10, 30], number(UInt16(2047)) + number(frameMax) + number(heartbeat))
  }
  private static let openOK = frame([10, 41], short(""))

  /// Runs a log-in on bytes of a simulated broker.
  private final class Feed {
    private let pair: SocketPair
    private var transport: Transport
    private var reader = FrameReader()
    private var login: Login
    private var writer = FrameWriter()

    init(isPipelined: Bool, heartbeat: Duration = .seconds(30), mechanism: Address.Mechanism = .plain) throws
    {
      pair = try SocketPair()
      transport = Transport(descriptor: pair.takeOne())
      var (address, options) = (Address(), Connection.Options())
      options.heartbeat = heartbeat
      address.mechanism = mechanism
      login = Login(to: address, options, isPipelined: isPipelined)
      try login.begin(&writer)
    }

    var isDone: Bool { login.isDone }
    var frameMax: Int { login.frameMax }
    var heartbeat: UInt16 { login.heartbeat }
    var broker: String { login.broker }

    /// The methods sent since the last call, as (class, method), without the protocol header.
    func sentMethods() -> [[UInt16]] {
      _ = writer.flush(to: &transport)
      var bytes = pair.read()[...]
      if bytes.starts(with: Array("AMQP".utf8)) { bytes = bytes.dropFirst(8) }
      var methods: [[UInt16]] = []
      while !bytes.isEmpty {
        let frame = Array(bytes.prefix(11))
        methods.append([UInt16(frame[7]) << 8 | UInt16(frame[8]), UInt16(frame[9]) << 8 | UInt16(frame[10])])
        bytes = bytes.dropFirst(8 + Int(frame[5]) << 8 + Int(frame[6]))
      }
      return methods
    }

    func receive(_ bytes: [UInt8]) throws {
      pair.write(bytes)
      _ = reader.fill(from: &transport)
      while let frame = try reader.next() { _ = try login.handle(frame.payload.method, &writer) }
      _ = reader.fill(from: &transport)
    }
  }

  @Test func `sends start-ok, tune-ok and open at once when pipelined`() throws {
    let feed = try Feed(isPipelined: true)
    expect(feed.sentMethods(), equals: [[10, 11], [10, 31], [10, 40]])
    try feed.receive(Self.start() + Self.tune() + Self.openOK)
    let isDone = feed.isDone
    #expect(isDone)
    let broker = feed.broker
    #expect(broker == "RabbitMQ 4.3.6")
    expect(feed.sentMethods(), equals: [])
  }

  @Test func `waits for each broker reply when not pipelined`() throws {
    let feed = try Feed(isPipelined: false)
    expect(feed.sentMethods(), equals: [])
    try feed.receive(Self.start())
    expect(feed.sentMethods(), equals: [[10, 11]])
    try feed.receive(Self.tune())
    expect(feed.sentMethods(), equals: [[10, 31], [10, 40]])
    let isDoneEarly = feed.isDone
    #expect(!isDoneEarly)
    try feed.receive(Self.openOK)
    let isDone = feed.isDone
    #expect(isDone)
  }

  @Test(arguments: [(131_072, 131_072), (4096, 4096), (0, 131_072), (1_000_000, 131_072)] as [(UInt32, Int)])
  func `uses the lower frame size; 0 from the broker means no limit`(theirs: UInt32, used: Int) throws {
    let feed = try Feed(isPipelined: false)
    try feed.receive(Self.start() + Self.tune(frameMax: theirs))
    let frameMax = feed.frameMax
    #expect(frameMax == used)
  }

  @Test(arguments: [(30, 60, 30), (30, 10, 10), (30, 0, 30), (0, 60, 0)] as [(Int, UInt16, UInt16)])
  func `uses the lower heartbeat; 0 from the broker means no limit`(
    ours: Int, theirs: UInt16, used: UInt16
  ) throws {
    let feed = try Feed(isPipelined: false, heartbeat: .seconds(ours))
    try feed.receive(Self.start() + Self.tune(heartbeat: theirs))
    let heartbeat = feed.heartbeat
    #expect(heartbeat == used)
  }

  @Test(arguments: [true, false])
  func `refuses to log in when the broker does not offer the mechanism`(isPipelined: Bool) throws {
    let feed = try Feed(isPipelined: isPipelined, mechanism: .external)
    let expected = AMQPError(.accessRefused, "log in", "the broker does not offer the EXTERNAL log-in")
    #expect(throws: expected) { try feed.receive(Self.start()) }
  }

  @Test func `refuses a broker that speaks AMQP 0-8`() throws {
    let feed = try Feed(isPipelined: false)
    #expect(throws: Login.otherProtocol) { try feed.receive(Self.start(version: [8, 0])) }
  }

  @Test(arguments: [tune(), openOK, start() + start(), start() + openOK])
  func `reports a broker reply that is out of order`(bytes: [UInt8]) throws {
    let feed = try Feed(isPipelined: false)
    let expected = AMQPError(
      .protocolViolation, "log in", "the broker sent an answer of the log-in out of turn")
    #expect(throws: expected) { try feed.receive(bytes) }
  }
}
