import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue
@testable import workq

/// Fuzz tests of the parsers of untrusted input.
///
/// No parser may crash or hang, and the values that it accepts must be plausible.
@Suite(.units) struct FuzzTests {
  @Test func `the duration parser accepts no negative or huge duration in random text`() {
    var random = SeededRandom(seed: 21)
    let pieces = [
      "0", "1", "9", "007", ".", "ms", "s", "m", "h", "d", "-", "+", "e9", "inf", "nan", " ", "1e3", "é",
    ]
    var accepted = 0
    for _ in Fuzz.cases(20_000) {
      let text = String(decoding: random.nonsense(pieces, upTo: 6), as: UTF8.self)
      guard let span = TimeSpan(argument: text) else { continue }
      accepted += 1
      let isSensible =
        span.duration >= .zero && span.duration < .seconds(1e12) && !span.duration.formatted.isEmpty
      if !isSensible { Issue.record("\(text)") }
    }
    #expect(accepted > 500)
  }

  @Test func `the size parser accepts no negative size in random text`() {
    var random = SeededRandom(seed: 22)
    let pieces = [
      "0", "1", "9", "k", "K", "m", "M", "g", "G", "-", "+", ".", "9223372036854775807", "٣", "kk", " ",
    ]
    var accepted = 0
    for _ in Fuzz.cases(20_000) {
      let text = String(decoding: random.nonsense(pieces, upTo: 5), as: UTF8.self)
      guard let size = SizeArgument(argument: text) else { continue }
      accepted += 1
      if size.bytes < 0 { Issue.record("\(text)") }
    }
    #expect(accepted > 500)
  }

  @Test func `the JSON record parser handles random lines and refuses deep nesting`() throws {
    var random = SeededRandom(seed: 23)
    let pieces = [
      "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "1", "-1", "1e999",
      "0.5",
      "18446744073709551616", "\"body\":", "\"b\"", "\"body_base64\":", "\"QUI=\"", "\"headers\":",
      "{\"k\":1}",
      "{\"k\":{\"l\":[1,\"x\",null]}}", "\"priority\":", "256", "\"ttl\":", "\"5s\"", "\"delay\":",
      "\"queue\":",
      "\"exchange\":", "\"routing_key\":", "\"persistent\":", "\"timestamp\":", "\"message_id\":", " ", "é",
      "\u{0}",
    ]
    let template = TaskTemplate(properties: Message.Properties(), routingKey: "q")
    var ids = MessageID()
    var accepted = 0
    for number in Fuzz.cases(30_000) {
      var line = random.nonsense(pieces)
      if number % 2 == 0 { line = Array("{\"body\":\"b\",".utf8) + line + Array("}".utf8) }
      guard let envelope = try? JSONRecord.envelope(line, template, &ids) else { continue }
      accepted += 1
      if envelope.message.properties.expiration.map({ Int($0) == nil }) == true {
        Issue.record("\(String(decoding: line, as: UTF8.self))")
      }
    }
    #expect(accepted > 500)
    // Deep nesting must not exhaust the stack.
    for open in ["[", "{\"a\":", "{\"body\":\"b\",\"headers\":{\"a\":" + String(repeating: "[", count: 400)] {
      let deep = Array(String(repeating: open, count: 100_000).utf8)
      #expect(throws: JSONRecord.Invalid.self) { try JSONRecord.envelope(deep, template, &ids) }
    }
  }

  @Test func `the record splitter loses no bytes and splits at every delimiter, for any chunk sizes`() {
    var random = SeededRandom(seed: 24)
    for _ in Fuzz.cases(3000) {
      let delimiter = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        UInt8.random(in: 97...98, using: &random)
      }
      let stream = (0..<Int.random(in: 0...60, using: &random)).map { _ in
        UInt8.random(in: 97...99, using: &random)
      }
      var splitter = RecordSplitter(delimiter: delimiter)
      var records: [[UInt8]] = []
      var rest = stream[...]
      while !rest.isEmpty {
        let piece = Array(rest.prefix(.random(in: 1...7, using: &random)))
        rest = rest.dropFirst(piece.count)
        piece.withUnsafeBytes { splitter.append($0) }
        while let record = splitter.next() { records.append(record) }
      }
      let last = splitter.rest() ?? []
      let isWhole = Self.joined(records, by: delimiter) + last == stream
      let isCut = !(records + [last]).contains { $0.contains(delimiter) }
      if !isWhole || !isCut { Issue.record("\(delimiter) \(stream) \(records) \(last)") }
    }
  }

  private static func joined(_ records: [[UInt8]], by delimiter: [UInt8]) -> [UInt8] {
    records.flatMap { $0 + delimiter }
  }

  @Test func `the spool decoder refuses a file with changed, removed or inserted bytes`() throws {
    var random = SeededRandom(seed: 25)
    func decode(_ bytes: [UInt8]) throws -> [Envelope] {
      var rest = bytes[...]
      return try SpoolFile.decode("f", size: bytes.count) { count in
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
      }
    }
    let message = Message(body: Array("the body".utf8))
    for _ in Fuzz.cases(3000) {
      var envelope = Envelope(message, exchange: "e", routingKey: "q")
      envelope.message.properties.headers = ["k": .table(["l": .array([.int64(1), .text("x")])])]
      let good = try SpoolFile.encode([envelope, envelope]).flatMap { $0 }
      var bad = good
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let place = Int.random(in: bad.indices, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bad[place] = .random(in: 0...255, using: &random)
        case 1: bad.remove(at: place)
        default: bad.insert(.random(in: 0...255, using: &random), at: place)
        }
      }
      if bad != good, (try? decode(bad)) != nil { Issue.record("\(bad)") }
    }
  }

  @Test func `a password that the argument scrubber finds in a random argument ends before an @`() {
    var random = SeededRandom(seed: 26)
    let pieces = [
      "amqp", "amqps", "://", ":", "@", "u", "hunter2", "--url=", "-u", ",", "/", "AMQP", "é", "?",
    ]
    var hidden = 0
    for _ in Fuzz.cases(20_000) {
      let argument = random.nonsense(pieces, upTo: 10)
      let range = ArgumentScrubber.passwords(in: argument)
      if range.isEmpty { continue }
      hidden += 1
      if !argument.indices.contains(range.upperBound) || argument[range.upperBound] != UInt8(ascii: "@") {
        Issue.record("\(argument)")
      }
    }
    #expect(hidden > 10)
  }

  @Test(arguments: [
    ("amqp://u:secret@h", "amqp://u:xxxxxx@h"), ("--url=AMQPS://u:a@b@h/v", "--url=AMQPS://u:xxx@h/v"),
    ("-uamqp://u:p@h", "-uamqp://u:x@h"), ("amqp://u:p@h,amqp://u:q@i", "amqp://u:xxxxxxxxxxxxxx@i"),
    ("amqp://h:5672/", "amqp://h:5672/"), ("amqp://u@h:1", "amqp://u@h:1"),
    ("mail me@h: a@b", "mail me@h: a@b"),
    ("https://u:p@h", "https://u:p@h"),
  ])
  func `the argument scrubber masks the passwords of AMQP URLs`(argument: String, seen: String) {
    var bytes = Array(argument.utf8)
    for place in ArgumentScrubber.passwords(in: bytes) { bytes[place] = UInt8(ascii: "x") }
    #expect(String(decoding: bytes, as: UTF8.self) == seen)
  }
}
