import CRabbitMQ
import Foundation
import TestSupport
import Testing

@testable import AMQP

@Suite(.units) struct FrameWriterTests {
  private static let frameMax = 4096

  private func append(
    _ message: Message, to writer: inout FrameWriter, frameMax: Int = Self.frameMax, routingKey: String = "q"
  ) throws(AMQPError) {
    var pool = Pool()
    var properties = try pool.properties(message.properties)
    var method = amqp_basic_publish_t(
      ticket: 0, exchange: pool.bytes(""), routing_key: pool.bytes(routingKey), mandatory: 1, immediate: 0)
    try writer.append(&method, &properties, message.body, on: 1, frameMax: frameMax)
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

  @Test func `writes the same frames as rabbitmq-c, byte for byte`() throws {
    var random = SeededRandom(seed: 31)
    let library = try LibrarySender(frameMax: Int32(Self.frameMax))
    for number in 0..<200 {
      let message = sizedMessage(using: &random)
      var writer = FrameWriter()
      let key = String(repeating: "k", count: number % 256)
      try append(message, to: &writer, routingKey: key)
      let pair = try SocketPair()
      var transport = Transport(descriptor: pair.takeOne())
      let tookSome = writer.flush(to: &transport)
      #expect(tookSome)
      #expect(writer.isEmpty)
      let (ours, theirs) = (pair.read(), try library.publish(message, exchange: "", routingKey: key))
      // rabbitmq-c sends the last piece of a body that ends with a full frame later than necessary.
      let areEqual = ours == theirs
      #expect(areEqual, "message \(number) of \(message.body.count) bytes")
    }
  }

  @Test func `frames arrive complete and in order when the socket accepts only parts of them`() throws {
    for seed in 1...20 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      let library = try LibrarySender(frameMax: Int32(Self.frameMax))
      let pair = try SocketPair(buffer: 1)
      var transport = Transport(descriptor: pair.takeOne())
      var writer = FrameWriter()
      var (expected, arrived) = ([UInt8](), [UInt8]())
      for _ in 0..<40 {
        if Bool.random(using: &random) {
          let message = sizedMessage(using: &random)
          try append(message, to: &writer)
          expected += try library.publish(message, exchange: "", routingKey: "q")
        } else if Bool.random(using: &random) {
          writer.appendHeartbeat()
          expected += [8, 0, 0, 0, 0, 0, 0, 0xce]
        }
        _ = writer.flush(to: &transport)
        arrived += pair.read(atMost: .random(in: 0...5000, using: &random))
        #expect(writer.count + arrived.count <= expected.count)
      }
      while !writer.isEmpty || arrived.count < expected.count {
        _ = writer.flush(to: &transport)
        let more = pair.read(atMost: .random(in: 1...9000, using: &random))
        try #require(!more.isEmpty || !writer.isEmpty)
        arrived += more
      }
      let areEqual = arrived == expected
      #expect(areEqual, "seed \(seed)")
      #expect(writer.failure == nil)
    }
  }

  @Test func `writes nothing of a message whose headers are larger than a frame`() throws {
    var writer = FrameWriter()
    try append(Message(body: [1]), to: &writer)
    let count = writer.count
    for size in [5000, 130_990, 131_072, 1_000_000] {
      var message = Message(body: [2])
      message.properties.headers = ["h": .text(String(repeating: "x", count: size))]
      #expect(throws: AMQPError(.tooLarge, "publish", "the headers are larger than a frame")) {
        try append(message, to: &writer)
      }
      #expect(writer.count == count)
    }
    try append(Message(body: [3]), to: &writer)
    let library = try LibrarySender(frameMax: Int32(Self.frameMax))
    let expected = try [1, 3].flatMap {
      try library.publish(Message(body: [$0]), exchange: "", routingKey: "q")
    }
    let pair = try SocketPair()
    var transport = Transport(descriptor: pair.takeOne())
    _ = writer.flush(to: &transport)
    #expect(pair.read() == expected)
  }

  @Test func `accepts headers that fill a frame exactly, and refuses one more byte`() throws {
    // 14 bytes for the content header, 4 for the table's length, 1 + 1 + 1 + 4 for name, type and length.
    for (frameMax, room) in [(4096, 4088 - 14 - 4 - 7), (131_072, 131_064 - 14 - 4 - 7)] {
      var message = Message(body: [])
      message.properties.headers = ["h": .text(String(repeating: "x", count: room))]
      var writer = FrameWriter()
      try append(message, to: &writer, frameMax: frameMax)
      message.properties.headers = ["h": .text(String(repeating: "x", count: room + 1))]
      #expect(throws: AMQPError.self) { try append(message, to: &writer, frameMax: frameMax) }
    }
  }

  @Test func `a broken socket accepts no bytes, and the writer keeps the failure`() throws {
    let pair = try SocketPair()
    var transport = Transport(descriptor: pair.takeOne())
    pair.closeOther()
    var writer = FrameWriter()
    writer.appendHeartbeat()
    for _ in 1...2 {
      let tookSome = writer.flush(to: &transport)
      #expect(!tookSome)
      #expect(writer.failure == AMQPError(.lost, "send to the broker", "Broken pipe"))
      #expect(writer.count == 8)
    }
  }
}
