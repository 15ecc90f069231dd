import CRabbitMQ
import Foundation
import TestSupport
import Testing

@testable import AMQP

@Suite(.units) struct OutgoingTests {
  private static let frameMax = 4096

  private func append(
    _ message: Message, to outgoing: inout Outgoing, frameMax: Int = Self.frameMax, routingKey: String = "q"
  ) throws(AMQPError) {
    var pool = Pool()
    var properties = pool.properties(message.properties)
    var method = amqp_basic_publish_t(
      ticket: 0, exchange: pool.bytes(""), routing_key: pool.bytes(routingKey), mandatory: 1, immediate: 0)
    try outgoing.append(&method, &properties, message.body, on: 1, frameMax: frameMax)
  }

  private func sizedMessage(using random: inout SeededRandom) -> Message {
    let piece = Self.frameMax - 8
    let sizes = [
      0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 7, 16_383, 16_384, 40_000,
      .random(in: 0...300, using: &random),
    ]
    let size = sizes[.random(in: sizes.indices, using: &random)]
    let start = UInt8.random(in: 0...255, using: &random)
    var message = Message(body: (0..<size).map { start &+ UInt8(truncatingIfNeeded: $0) })
    message.properties.messageID = "id-\(random.next())"
    if Bool.random(using: &random) {
      message.properties.headers = ["n": .int64(7), "t": .table(["deep": .array([.text("é"), .void])])]
    }
    if Bool.random(using: &random) { message.properties.priority = 3 }
    return message
  }

  @Test func `its frames are the library's, byte for byte`() throws {
    var random = SeededRandom(seed: 31)
    let library = try LibrarySender(frameMax: Int32(Self.frameMax))
    for number in 0..<200 {
      let message = sizedMessage(using: &random)
      var outgoing = Outgoing()
      let key = String(repeating: "k", count: number % 256)
      try append(message, to: &outgoing, routingKey: key)
      let pair = try SocketPair()
      let tookSome = outgoing.flush(to: pair.one)
      #expect(tookSome)
      #expect(outgoing.isEmpty)
      let (ours, theirs) = (pair.read(), library.publish(message, exchange: "", routingKey: key))
      // Of a body that ends with a full frame the library sends the last piece later than it could.
      let areEqual = ours == theirs
      #expect(areEqual, "message \(number) of \(message.body.count) bytes")
    }
  }

  @Test func `what the kernel takes by and by arrives whole and in order`() throws {
    for seed in 1...20 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      let library = try LibrarySender(frameMax: Int32(Self.frameMax))
      let pair = try SocketPair(buffer: 1)
      var outgoing = Outgoing()
      var (expected, arrived) = ([UInt8](), [UInt8]())
      for _ in 0..<40 {
        if Bool.random(using: &random) {
          let message = sizedMessage(using: &random)
          try append(message, to: &outgoing)
          expected += library.publish(message, exchange: "", routingKey: "q")
        } else if Bool.random(using: &random) {
          outgoing.appendHeartbeat()
          expected += [8, 0, 0, 0, 0, 0, 0, 0xce]
        }
        _ = outgoing.flush(to: pair.one)
        arrived += pair.read(atMost: .random(in: 0...5000, using: &random))
        #expect(outgoing.count + arrived.count <= expected.count)
      }
      while !outgoing.isEmpty || arrived.count < expected.count {
        _ = outgoing.flush(to: pair.one)
        let more = pair.read(atMost: .random(in: 1...9000, using: &random))
        try #require(!more.isEmpty || !outgoing.isEmpty)
        arrived += more
      }
      let areEqual = arrived == expected
      #expect(areEqual, "seed \(seed)")
      #expect(outgoing.failure == 0)
    }
  }

  @Test func `a message with too large headers leaves nothing behind`() throws {
    var outgoing = Outgoing()
    try append(Message(body: [1]), to: &outgoing)
    let count = outgoing.count
    for size in [5000, 130_990, 131_072, 1_000_000] {
      var message = Message(body: [2])
      message.properties.headers = ["h": .text(String(repeating: "x", count: size))]
      #expect(throws: AMQPError(.tooLarge, "publish", "the headers are larger than a frame")) {
        try append(message, to: &outgoing)
      }
      #expect(outgoing.count == count)
    }
    try append(Message(body: [3]), to: &outgoing)
    let library = try LibrarySender(frameMax: Int32(Self.frameMax))
    let expected = [1, 3].flatMap { library.publish(Message(body: [$0]), exchange: "", routingKey: "q") }
    let pair = try SocketPair()
    _ = outgoing.flush(to: pair.one)
    #expect(pair.read() == expected)
  }

  @Test func `headers may just fill a frame`() throws {
    // 14 of the header frame, 4 for the table's length, and 1 + 1 + 1 + 4 for a text's name and length.
    for (frameMax, room) in [(4096, 4088 - 14 - 4 - 7), (131_072, 131_064 - 14 - 4 - 7)] {
      var message = Message(body: [])
      message.properties.headers = ["h": .text(String(repeating: "x", count: room))]
      var outgoing = Outgoing()
      try append(message, to: &outgoing, frameMax: frameMax)
      message.properties.headers = ["h": .text(String(repeating: "x", count: room + 1))]
      #expect(throws: AMQPError.self) { try append(message, to: &outgoing, frameMax: frameMax) }
    }
  }

  @Test func `a broken socket is remembered and takes nothing`() throws {
    let pair = try SocketPair()
    pair.closeOther()
    var outgoing = Outgoing()
    outgoing.appendHeartbeat()
    for _ in 1...2 {
      let tookSome = outgoing.flush(to: pair.one)
      #expect(!tookSome)
      #expect(outgoing.failure == EPIPE)
      #expect(outgoing.count == 8)
    }
  }
}
