import AMQP
import TestSupport
import Testing

@testable import WorkQueue

/// What is written of tasks, and that nothing else is taken for it.
@Suite(.alone) struct SpoolFileTests {
  /// Small, and with everything in it.
  private static let small: [Envelope] = {
    var envelope = Envelope(Message(body: Array("body".utf8)), exchange: "e", routingKey: "k")
    envelope.delay = .milliseconds(1500)
    envelope.message.properties.headers = ["a": .array([.boolean(true), .table(["t": .void])])]
    envelope.message.properties.messageID = "id"
    // The last byte is not 0: a file that ends in zeros is another one.
    return [
      envelope, Envelope(Message(body: [], properties: .init(deliveryMode: .persistent)), routingKey: "q"),
    ]
  }()

  private func decode(_ bytes: [UInt8], size: Int? = nil) throws(SpoolError) -> [Envelope] {
    var rest = bytes[...]
    let size = size ?? bytes.count
    return try SpoolFile.decode("f", size: size) { count in
      #expect(count <= max(size, 43), "it believes a length that it found")
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
  }

  private func file(_ envelopes: [Envelope]) throws -> [UInt8] {
    try SpoolFile.encode(envelopes).flatMap { $0 }
  }

  private func isCorrupt(_ bytes: [UInt8], size: Int? = nil) -> Bool {
    do throws(SpoolError) {
      _ = try decode(bytes, size: size)
      return false
    } catch {
      return error.kind == .corrupt
    }
  }

  @Test(arguments: 0..<300 as Range<UInt64>)
  func `whatever a task is, it comes back as it was`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let envelopes = (0..<Int.random(in: 0...6, using: &random)).map { _ in
      Envelope.random(using: &random, bodyUpTo: seed % 50 == 0 ? 200_000 : 300)
    }
    try expect(decode(file(envelopes)), equals: envelopes)
  }

  @Test func `every property comes back, and stays absent where it was`() throws {
    var envelope = Envelope(Message(body: [0, 255]), exchange: "x", routingKey: "r", delay: .seconds(3))
    envelope.message.properties.contentType = "1"
    envelope.message.properties.contentEncoding = "2"
    envelope.message.properties.headers = [:]
    envelope.message.properties.deliveryMode = .persistent
    envelope.message.properties.priority = 0
    envelope.message.properties.correlationID = "3"
    envelope.message.properties.replyTo = "4"
    envelope.message.properties.expiration = "5"
    envelope.message.properties.messageID = "6"
    envelope.message.properties.timestamp = .max
    envelope.message.properties.type = "7"
    envelope.message.properties.userID = "8"
    envelope.message.properties.appID = ""
    // A property that is added to messages has to be added here.
    for (name, value) in Mirror(reflecting: envelope.message.properties).children {
      #expect("\(value)" != "nil", "\(name ?? "")")
    }
    try expect(decode(file([envelope])), equals: [envelope])
  }

  @Test func `a number that is none keeps its bits`() throws {
    let patterns: [UInt64] = [0x7ff8_0000_0000_0001, 0xfff4_0000_dead_beef, 0x8000_0000_0000_0000]
    var envelope = Self.small[0]
    envelope.message.properties.headers = [
      "d": .array(patterns.map { .double(Double(bitPattern: $0)) }),
      "f": .float(Float(bitPattern: 0xffc0_1234)),
    ]
    let headers = try #require(try decode(file([envelope])).first?.message.properties.headers)
    guard case .array(let doubles) = headers["d"], case .float(let float) = headers["f"] else {
      Issue.record("other types came back: \(headers)")
      return
    }
    let back = doubles.map { value -> UInt64? in
      if case .double(let double) = value { double.bitPattern } else { nil }
    }
    #expect(back == patterns)
    #expect(float.bitPattern == 0xffc0_1234)
  }

  @Test func `two texts that look the same keep their bytes`() throws {
    var envelope = Self.small[0]
    envelope.routingKey = "e\u{301}"
    try expect(decode(file([envelope])).first?.routingKey.utf8.map { $0 }, equals: [0x65, 0xcc, 0x81])
  }

  @Test func `every single changed byte is found`() throws {
    let good = try file(Self.small)
    for index in good.indices {
      for mask in [0x01, 0x80, 0xff, good[index]] as [UInt8] where mask != 0 {
        var bad = good
        bad[index] ^= mask
        #expect(isCorrupt(bad), "byte \(index) changed by \(mask)")
      }
    }
  }

  @Test func `every shorter file is found`() throws {
    let good = try file(Self.small)
    for count in 0..<good.count {
      #expect(isCorrupt(Array(good[..<count])), "cut to \(count)")
      #expect(isCorrupt(Array(good[..<count]), size: good.count), "cut to \(count) while it is read")
      #expect(
        isCorrupt(good[..<count] + [UInt8](repeating: 0, count: good.count - count)), "zeros from \(count)")
    }
  }

  @Test func `a longer file is found, and a task too many or too few`() throws {
    let good = try file(Self.small)
    #expect(isCorrupt(good + [0]))
    #expect(isCorrupt(good + good))
    #expect(isCorrupt(try good + file([Self.small[0]]).dropFirst(file([]).count)))
    #expect(isCorrupt(Array(try file([Self.small[0]])) + good.dropFirst(good.count - 10)))
  }

  @Test func `foreign files are found without believing their numbers`() throws {
    let header = Array(try file([]))
    var random = SeededRandom(seed: 1)
    for count in [1, 42, 43, 44, 58, 59, 100, 5000] {
      #expect(isCorrupt((0..<count).map { _ in .random(in: 0...255, using: &random) }))
    }
    #expect(
      isCorrupt(Array("#!/bin/sh\necho a script, and longer than the header of a spool file is\n".utf8)))
    // A header that is right for its size, and lengths of 4 GB and 16 EB behind it.
    for (version, size) in [(1, 16), (2, 28)] {
      let line = Array("workq spool \(version), bytes: 000000000000000000\(size)\n".utf8)
      #expect(header.count == line.count)
      #expect(isCorrupt(line + [UInt8](repeating: 0xff, count: size)))
      #expect(isCorrupt(line + [UInt8](repeating: 0, count: size)))
    }
    #expect(isCorrupt(Array("workq spool 3, bytes: 00000000000000000000\n".utf8)))
  }

  @Test(arguments: 0..<2000 as Range<UInt64>)
  func `random bytes in AMQP's coding are refused, or are those of what is read`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let envelope = Envelope.random(using: &random)
    let good = try EncodedMessage(
      envelope.message, exchange: envelope.exchange, routingKey: envelope.routingKey)
    var (method, header) = (good.method, good.header)
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      if Bool.random(using: &random) {
        method[.random(in: method.indices, using: &random)] = .random(in: 0...255, using: &random)
      } else {
        header[.random(in: header.indices, using: &random)] = .random(in: 0...255, using: &random)
      }
    }
    let encoded = EncodedMessage(method: method, header: header)
    guard let read = encoded.decode(body: envelope.message.body) else { return }
    try expect(
      EncodedMessage(read.message, exchange: read.exchange, routingKey: read.routingKey), equals: encoded)
  }

  @Test func `headers that are nested too deep are refused before they are written`() throws {
    func nested(_ depth: Int, _ wrap: (FieldValue) -> FieldValue) -> [Envelope] {
      let value = (0..<depth).reduce(FieldValue.void) { value, _ in wrap(value) }
      var envelope = Self.small[0]
      envelope.message.properties.headers = ["h": value]
      return [envelope]
    }
    for wrap in [{ .array([$0]) }, { .table(["k": $0]) }] as [(FieldValue) -> FieldValue] {
      try expect(decode(file(nested(127, wrap))), equals: nested(127, wrap))
      for depth in [128, 5000] {
        let error = #expect(throws: AMQPError.self) { try SpoolFile.encode(nested(depth, wrap)) }
        #expect(error?.detail == "the headers are nested more than 128 deep")
      }
    }
  }

  @Test func `names and headers that AMQP has no room for are refused before they are written`() throws {
    var envelopes = (0..<4).map { _ in Self.small[0] }
    envelopes[0].routingKey = String(repeating: "k", count: 256)
    envelopes[1].message.properties.messageID = String(repeating: "i", count: 256)
    envelopes[2].message.properties.headers = [String(repeating: "h", count: 256): .void]
    envelopes[3].message.properties.headers = ["h": .text(String(repeating: "x", count: 140_000))]
    for envelope in envelopes {
      let error = #expect(throws: AMQPError.self) { try SpoolFile.encode([Self.small[1], envelope]) }
      #expect(error?.kind == .tooLarge)
    }
  }

  @Test func `nesting without end does not exhaust the stack`() {
    let array: [UInt8] = Array("A".utf8) + [0, 0, 0, 5]
    let header = [0, 60, 0, 0] + [UInt8](repeating: 0, count: 8) + [0x20, 0, 0, 0, 0, 0, 1, 0x68]
    let bytes = header + (0..<1_000_000).flatMap { _ in array }
    let method: [UInt8] = [0, 0, 0, 1, 0x71, 1]
    #expect(EncodedMessage(method: method, header: bytes).decode(body: []) == nil)
  }

  @Test func `large bodies are not copied into the pieces of small ones`() throws {
    let large = Envelope(Message(body: [UInt8](repeating: 7, count: 100_000)), routingKey: "q")
    let pieces = try SpoolFile.encode([Self.small[0], large, Self.small[1]])
    #expect(pieces.map(\.count).contains(100_000))
    try expect(decode(pieces.flatMap { $0 }), equals: [Self.small[0], large, Self.small[1]])
  }

  @Test func `the checksum is gzip's`() {
    var checksum = Checksum()
    checksum.add(Array("1234".utf8))
    checksum.add(Array("56789".utf8))
    #expect(checksum.value == 0xcbf4_3926)
  }
}
