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
    return [envelope, Envelope(Message(body: []), routingKey: "q")]
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
    try #require(SpoolFile.encode(envelopes)).flatMap { $0 }
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
    #expect(envelope.table.entries.map(\.name) == ["exchange", "routing_key", "delay"])
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
    // A property that is added to messages has to be added to the table, and here.
    let fields = Mirror(reflecting: envelope.message.properties).children.count
    #expect(envelope.table.entries.count == 3 + fields)
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
    let size = Array("workq spool 1, bytes: 00000000000000000016\n".utf8)
    #expect(header.count == size.count)
    #expect(isCorrupt(size + [UInt8](repeating: 0xff, count: 16)))
    #expect(isCorrupt(size + [UInt8](repeating: 0, count: 16)))
    #expect(isCorrupt(size + [UInt8](repeating: 0, count: 12) + [0x7f, 0xff, 0xff, 0xff]))
    #expect(isCorrupt(Array("workq spool 2, bytes: 00000000000000000000\n".utf8)))
  }

  @Test(arguments: 0..<2000 as Range<UInt64>)
  func `a table of random bytes is read to its end or refused`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var bytes = TableCoding.encode(Envelope.random(using: &random).table)
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      bytes[.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
    }
    if let table = try? TableCoding.decode(bytes) { #expect(TableCoding.encode(table) == bytes) }
  }

  @Test func `a table that says more, less or other things than an envelope's is refused`() {
    let table = Self.small[0].table
    #expect(Envelope(table, body: Self.small[0].message.body) == Self.small[0])
    let changes: [(String, FieldValue?)] = [
      ("surprise", .void), ("exchange", nil), ("routing_key", .octets([0xff])), ("priority", .int8(1)),
      ("delivery_mode", .uint8(3)), ("delay", .array([.int64(1)])), ("headers", .text("")),
      ("message_id", .octets([0xff])), ("timestamp", .uint64(1)),
    ]
    for (name, value) in changes {
      var changed = table
      changed[name] = value
      #expect(Envelope(changed, body: []) == nil, "\(name)")
    }
  }

  @Test func `headers that are nested too deep are refused before they are written`() throws {
    func nested(_ depth: Int, _ wrap: (FieldValue) -> FieldValue) -> [Envelope] {
      let value = (0..<depth).reduce(FieldValue.void) { value, _ in wrap(value) }
      var envelope = Self.small[0]
      envelope.message.properties.headers = ["h": value]
      return [envelope]
    }
    for wrap in [{ .array([$0]) }, { .table(["k": $0]) }] as [(FieldValue) -> FieldValue] {
      try expect(decode(file(nested(126, wrap))), equals: nested(126, wrap))
      #expect(SpoolFile.encode(nested(127, wrap)) == nil)
    }
  }

  @Test func `nesting without end does not exhaust the stack`() {
    let open = Array("\0\0\0\u{1}\0\0\0\0F".utf8)
    let bytes = (0..<100_000).flatMap { _ in open }
    #expect(throws: TableCoding.Malformed.self) { try TableCoding.decode(bytes) }
  }

  @Test func `large bodies are not copied into the pieces of small ones`() throws {
    let large = Envelope(Message(body: [UInt8](repeating: 7, count: 100_000)), routingKey: "q")
    let pieces = try #require(SpoolFile.encode([Self.small[0], large, Self.small[1]]))
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
