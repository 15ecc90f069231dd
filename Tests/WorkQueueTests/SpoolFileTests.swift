import AMQP
import TestSupport
import Testing

@testable import WorkQueue

/// The format of spool files, and the detection of damaged and foreign files.
@Suite(.alone) struct SpoolFileTests {
  /// Small tasks that use every part of the format.
  private static let small: [Envelope] = {
    var envelope = Envelope(Message(body: Array("body".utf8)), exchange: "e", routingKey: "k")
    envelope.delay = .milliseconds(1500)
    envelope.message.properties.headers = ["a": .array([.boolean(true), .table(["t": .void])])]
    envelope.message.properties.messageID = "id"
    // The last byte must not be 0: a test replaces the end of the file with zeros.
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
  func `decodes random tasks to the tasks that were encoded`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let envelopes = (0..<Int.random(in: 0...6, using: &random)).map { _ in
      Envelope.random(using: &random, bodyUpTo: seed % 50 == 0 ? 200_000 : 300)
    }
    try expect(decode(file(envelopes)), equals: envelopes)
  }

  @Test func `decodes every property, also when it is empty or zero`() throws {
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
    // A new message property must be set here, too.
    for (name, value) in Mirror(reflecting: envelope.message.properties).children {
      #expect("\(value)" != "nil", "\(name ?? "")")
    }
    try expect(decode(file([envelope])), equals: [envelope])
  }

  @Test func `keeps the bits of NaN and of negative zero`() throws {
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

  @Test func `keeps the bytes of decomposed Unicode text`() throws {
    var envelope = Self.small[0]
    envelope.routingKey = "e\u{301}"
    try expect(decode(file([envelope])).first?.routingKey.utf8.map { $0 }, equals: [0x65, 0xcc, 0x81])
  }

  @Test func `detects every changed byte`() throws {
    let good = try file(Self.small)
    for index in good.indices {
      for mask in [0x01, 0x80, 0xff, good[index]] as [UInt8] where mask != 0 {
        var bad = good
        bad[index] ^= mask
        #expect(isCorrupt(bad), "byte \(index) changed by \(mask)")
      }
    }
  }

  @Test func `detects a file that is truncated, or filled with zeros, from any byte on`() throws {
    let good = try file(Self.small)
    for count in 0..<good.count {
      #expect(isCorrupt(Array(good[..<count])), "cut to \(count)")
      #expect(isCorrupt(Array(good[..<count]), size: good.count), "cut to \(count) while it is read")
      #expect(
        isCorrupt(good[..<count] + [UInt8](repeating: 0, count: good.count - count)), "zeros from \(count)")
    }
  }

  @Test func `detects extra bytes and extra tasks at the end of a file`() throws {
    let good = try file(Self.small)
    #expect(isCorrupt(good + [0]))
    #expect(isCorrupt(good + good))
    #expect(isCorrupt(try good + file([Self.small[0]]).dropFirst(file([]).count)))
    #expect(isCorrupt(Array(try file([Self.small[0]])) + good.dropFirst(good.count - 10)))
  }

  @Test func `detects files of other formats without trusting the lengths in them`() throws {
    let header = Array(try file([]))
    var random = SeededRandom(seed: 1)
    for count in [1, 42, 43, 44, 58, 59, 100, 5000] {
      #expect(isCorrupt((0..<count).map { _ in .random(in: 0...255, using: &random) }))
    }
    #expect(
      isCorrupt(Array("#!/bin/sh\necho a script, and longer than the header of a spool file is\n".utf8)))
    // A header with the correct size, followed by lengths of 4 GB and 16 EB.
    for (version, size) in [(1, 16), (2, 28)] {
      let line = Array("workq spool \(version), bytes: 000000000000000000\(size)\n".utf8)
      #expect(header.count == line.count)
      #expect(isCorrupt(line + [UInt8](repeating: 0xff, count: size)))
      #expect(isCorrupt(line + [UInt8](repeating: 0, count: size)))
    }
    #expect(isCorrupt(Array("workq spool 3, bytes: 00000000000000000000\n".utf8)))
  }

  @Test(arguments: 0..<2000 as Range<UInt64>)
  func `refuses damaged AMQP data, or decodes it without loss`(seed: UInt64) throws {
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

  @Test func `refuses to encode headers that are nested too deep`() throws {
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

  @Test func `refuses to encode names and headers that are too large for AMQP`() throws {
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

  @Test func `refuses deeply nested headers without exhausting the stack`() {
    let array: [UInt8] = Array("A".utf8) + [0, 0, 0, 5]
    let header = [0, 60, 0, 0] + [UInt8](repeating: 0, count: 8) + [0x20, 0, 0, 0, 0, 0, 1, 0x68]
    let bytes = header + (0..<1_000_000).flatMap { _ in array }
    let method: [UInt8] = [0, 0, 0, 1, 0x71, 1]
    #expect(EncodedMessage(method: method, header: bytes).decode(body: []) == nil)
  }

  @Test func `encodes a large body as a separate piece`() throws {
    let large = Envelope(Message(body: [UInt8](repeating: 7, count: 100_000)), routingKey: "q")
    let pieces = try SpoolFile.encode([Self.small[0], large, Self.small[1]])
    #expect(pieces.map(\.count).contains(100_000))
    try expect(decode(pieces.flatMap { $0 }), equals: [Self.small[0], large, Self.small[1]])
  }

  @Test func `computes the CRC-32 that gzip uses`() {
    var checksum = Checksum()
    checksum.add(Array("1234".utf8))
    checksum.add(Array("56789".utf8))
    #expect(checksum.value == 0xcbf4_3926)
  }
}
