import AMQP
import Foundation
import TestSupport
import Testing
import WorkQueue

@testable import workq

@Suite(.units) struct JSONRecordTests {
  private let template = TaskTemplate(properties: Message.Properties(), routingKey: "default")

  private func envelope(_ line: String, _ template: TaskTemplate? = nil) throws(JSONRecord.Invalid)
    -> Envelope
  {
    var ids = MessageID()
    return try JSONRecord.envelope(Array(line.utf8), template ?? self.template, &ids)
  }

  private func reason(_ line: String, _ template: TaskTemplate? = nil) -> String? {
    do throws(JSONRecord.Invalid) {
      _ = try envelope(line, template)
      return nil
    } catch {
      return error.reason
    }
  }

  private func text(_ envelope: Envelope) -> String { String(decoding: envelope.message.body, as: UTF8.self) }

  // MARK: Accepted records

  @Test func `a JSON record sets every property, with dashes or underscores in its keys`() throws {
    for separator in ["_", "-"] {
      let line = #"""
        {"body": "b", "queue": "q", "content_type": "text/plain", "content_encoding": "gzip",
        "message_id": "m", "correlation_id": "c", "reply_to": "r", "type": "t", "app_id": "a",
        "user_id": "guest", "priority": 255, "timestamp": 1700000000, "ttl": "90s",
        "persistent": false, "headers": {"n": 1, "t": true, "d": 1.5, "s": "é", "z": null,
        "l": [1, "x", {"deep": []}]}}
        """#.replacing("\n", with: " ").replacing("_", with: separator)
      let envelope = try envelope(line)
      var expected = Message.Properties()
      (expected.contentType, expected.contentEncoding) = ("text/plain", "gzip")
      (expected.messageID, expected.correlationID, expected.replyTo) = ("m", "c", "r")
      (expected.type, expected.appID, expected.userID) = ("t", "a", "guest")
      (expected.priority, expected.timestamp, expected.expiration) = (255, 1_700_000_000, "90000")
      expected.deliveryMode = .transient
      expected.headers = [
        "d": .double(1.5), "l": .array([.int64(1), .text("x"), .table(["deep": .array([])])]), "n": .int64(1),
        "s": .text("é"), "t": .boolean(true), "z": .void,
      ]
      #expect(envelope.message.properties == expected)
      #expect(envelope.routingKey == "q")
      #expect(envelope.exchange == "")
      #expect(text(envelope) == "b")
    }
    try expect(envelope(#"{"body": "b", "delay": 1.5}"#).delay, equals: .milliseconds(1500))
  }

  @Test(
    arguments: [
      ("9223372036854775807", .int64(.max)), ("-9223372036854775808", .int64(.min)),
      ("9007199254740993", .int64(9_007_199_254_740_993)), ("1.5", .double(1.5)), ("1e300", .double(1e300)),
      ("9223372036854775808", .double(0x1p63)), ("-1e19", .double(-1e19)), ("1e20", .double(1e20)),
    ] as [(String, FieldValue)])
  func `keeps the exact value of a number in a header`(number: String, value: FieldValue) throws {
    let envelope = try envelope(#"{"body": "b", "headers": {"n": \#(number), "l": [\#(number)]}}"#)
    #expect(envelope.message.properties.headers == ["l": .array([value]), "n": value])
  }

  /// RabbitMQ would make these integers negative, and a floating-point number would change their values.
  @Test(arguments: [
    "18446744073709551615", "9223372036854775809", "-9223372036854775809", "123456789012345678901234567890",
  ])
  func `refuses an integer in a header that RabbitMQ cannot represent`(number: String) {
    for headers in [#"{"n": \#(number)}"#, #"{"l": [{"n": \#(number)}]}"#] {
      #expect(
        reason(#"{"body": "b", "headers": \#(headers)}"#) == """
          it has an integer beyond -9223372036854775808 to 9223372036854775807, which RabbitMQ would change: make \
          it a string
          """)
    }
  }

  @Test func `accepts an unsigned 64-bit timestamp`() throws {
    let envelope = try envelope(#"{"body": "b", "timestamp": 18446744073709551615}"#)
    #expect(envelope.message.properties.timestamp == .max)
  }

  @Test func `refuses a delay combined with a TTL, even if the command line sets one of them`() throws {
    let message = "a delay and a TTL exclude each other: RabbitMQ removes the TTL when the delay ends"
    #expect(reason(#"{"body": "b", "ttl": 5, "delay": 1}"#) == message)
    #expect(reason(#"{"body": "b", "ttl": 5, "delay": 0}"#) == nil)
    var template = template
    template.delay = .seconds(1)
    #expect(reason(#"{"body": "b", "ttl": 5}"#, template) == message)
    template = self.template
    template.properties.expiration = "5000"
    #expect(reason(#"{"body": "b", "delay": 5}"#, template) == message)
    #expect(reason(#"{"body": "b"}"#, template) == nil)
  }

  @Test func `a record's missing properties come from the command line`() throws {
    var template = template
    template.properties.type = "night"
    template.properties.headers = ["a": .text("1"), "b": .text("2")]
    template.properties.deliveryMode = .persistent
    template.delay = .seconds(9)
    let record = try envelope(#"{"body": "x", "headers": {"b": 3}, "type": null}"#, template)
    #expect(record.message.properties.type == "night")
    #expect(record.delay == .seconds(9))
    #expect(record.message.properties.headers == ["a": .text("1"), "b": .int64(3)])
    #expect(record.message.properties.deliveryMode == .persistent)
    #expect(record.routingKey == "default")
    #expect(record.message.properties.messageID != nil)
    #expect(record.message.properties.timestamp != nil)
    try expect(envelope(#"{"body": "x", "delay": 0}"#, template).delay, equals: nil)
    try expect(
      envelope(#"{"body": "x", "transient": true}"#, template).message.properties.deliveryMode,
      equals: .transient)
  }

  @Test func `accepts a body as text or base64`() throws {
    #expect(text(try envelope(#"{"body": "\u00e9\n\ud83e\uddc0\u0000"}"#)) == "é\n🧀\0")
    #expect(text(try envelope(#"{"body": ""}"#)) == "")
    try expect(envelope(#"{"body_base64": "AP+A"}"#).message.body, equals: [0, 255, 128])
    try expect(envelope(#"{"body-base64": ""}"#).message.body, equals: [])
    #expect(text(try envelope("  {\"body\":\"x\"}\r")) == "x")
  }

  @Test func `a record's exchange or queue overrides the command line's exchange and routing key`() throws {
    let record = try envelope(#"{"body": "x", "exchange": "e", "routing_key": "k"}"#)
    #expect(record.exchange == "e")
    #expect(record.routingKey == "k")
    try expect(envelope(#"{"body": "x", "exchange": "e"}"#).routingKey, equals: "")
    var template = template
    (template.exchange, template.routingKey) = ("e", "k")
    try expect(envelope(#"{"body": "x", "routing_key": "other"}"#, template).exchange, equals: "e")
    let queue = try envelope(#"{"body": "x", "queue": "q"}"#, template)
    #expect(queue.exchange == "")
    #expect(queue.routingKey == "q")
  }

  // MARK: Refused records

  @Test(arguments: [
    "", " ", "x", "[]", "1", "null", "\"body\"", "{", #"{"body": "x"} {"body": "y"}"#,
    #"{"body": "\ud800"}"#, #"{"body": "x", "priority": 1e999}"#, "{\"body\": \"\u{1}\"}", #"{'body': 'x'}"#,
  ])
  func `refuses a line that is not one valid JSON object`(line: String) {
    #expect(reason(line) == "it is no JSON object")
  }

  @Test func `refuses a line that is not UTF-8`() {
    var ids = MessageID()
    for bytes in [[0xff], Array("{\"body\": \"".utf8) + [0xff] + Array("\"}".utf8)] as [[UInt8]] {
      #expect(throws: JSONRecord.Invalid.self) { try JSONRecord.envelope(bytes, template, &ids) }
    }
  }

  @Test(arguments: [
    ("{}", "it has neither body nor body_base64"),
    (#"{"body": 1}"#, "its body is no string"), (#"{"body": null}"#, "its body is no string"),
    (#"{"body": ["x"]}"#, "its body is no string"), (#"{"body_base64": 1}"#, "its body is no string"),
    (#"{"body_base64": "%"}"#, "its body_base64 is not base64"),
    (#"{"body": "x", "body_base64": "eA=="}"#, "it has both body and body_base64"),
    (#"{"body": "x", "persistent": true, "transient": false}"#, "it has both persistent and transient"),
    (#"{"body": "x", "queue": "q", "exchange": "e"}"#, "it has both queue and exchange"),
    (#"{"body": "x", "queue": "q", "routing-key": "k"}"#, "it has both queue and routing_key"),
    (#"{"body": "x", "routing_key": "k"}"#, "its routing_key goes with an exchange"),
    (#"{"body": "x", "queue": ""}"#, "the queue's name is empty"),
    (#"{"body": "x", "exchange": ""}"#, "the queue's name is empty"),
    (
      #"{"body": "x", "exchange": "e", "delay": 1}"#,
      "a delay leads to a queue: it does not go with an exchange"
    ),
    (#"{"body": "x", "ttl": "soon"}"#, "its ttl is no duration"),
    (#"{"body": "x", "ttl": -1}"#, "its ttl is no duration"),
    (#"{"body": "x", "ttl": true}"#, "its ttl is no duration"),
    (#"{"body": "x", "delay": {}}"#, "its delay is no duration"),
    (#"{"body": "x", "delay": "50d"}"#, "its delay is longer than 49 days"),
  ])
  func `refuses an invalid or contradictory record and gives the reason`(line: String, reason: String) {
    #expect(self.reason(line) == reason)
  }

  @Test(arguments: [
    #""priority": 256"#, #""priority": -1"#, #""priority": "9""#, #""priority": 1.5"#, #""timestamp": -1"#,
    #""timestamp": "now""#, #""persistent": 1"#, #""persistent": "yes""#, #""transient": []"#,
    #""headers": []"#, #""headers": "a=b""#, #""type": 1"#, #""message_id": 7"#, #""queue": ["q"]"#,
    #""exchange": true"#, #""Body": "y""#, #""bodyy": "y""#, #""": 1"#, #""nonsense": "x""#,
  ])
  func `refuses an unknown key or a value of the wrong type`(member: String) throws {
    let refusal = try #require(reason(#"{"body": "x", \#(member)}"#))
    #expect(refusal.hasSuffix("is no property of a task, or its value is not of its type"))
    let key = try #require(member.firstMatch(of: /"([^"]*)"/)?.1)
    #expect(refusal.contains("'\(key.replacing("_", with: "-"))'"), "\(refusal)")
  }

  @Test func `refuses a key that occurs twice in different spellings`() {
    for (one, other) in [("message_id", "message-id"), ("headers", "header"), ("body_base64", "body-base64")]
    {
      let value = one == "headers" ? "{}" : "\"eA==\""
      let body = one.hasPrefix("body") ? "" : #""body": "x", "#
      #expect(reason("{\(body)\"\(one)\": \(value), \"\(other)\": \(value)}")?.hasSuffix("twice") == true)
    }
  }

  @Test func `refuses property values, header names, headers and queue names that are too long`() {
    let long = String(repeating: "x", count: 256)
    #expect(reason(#"{"body": "x", "type": "\#(long)"}"#) == "the type has 256 bytes, 255 at most")
    for headers in [#"{"\#(long)": 1}"#, #"{"a": [{"\#(long)": 1}]}"#] {
      #expect(
        reason(#"{"body": "x", "headers": \#(headers)}"#) == "the name of a header has 256 bytes, 255 at most"
      )
    }
    let huge = String(repeating: "x", count: 140_000)
    let tooLarge = reason(#"{"body": "x", "headers": {"a": "\#(huge)"}}"#)
    #expect(tooLarge?.hasPrefix("the headers take ") == true, "\(tooLarge ?? "")")
    #expect(tooLarge?.contains(", and 122880 is the maximum: of a frame's 131072 bytes, ") == true)
    let queue = String(repeating: "q", count: 245)
    #expect(reason(#"{"body": "x", "queue": "\#(queue)"}"#) == nil)
    #expect(
      reason(#"{"body": "x", "queue": "\#(queue)", "delay": 1}"#)?.contains("too long for a delay") == true)
  }

  @Test func `refuses deeply nested JSON`() {
    for depth in [1000, 100_000] {
      let (open, close) = (String(repeating: "[", count: depth), String(repeating: "]", count: depth))
      #expect(reason(#"{"body": "x", "headers": {"a": \#(open)\#(close)}}"#) == "it is no JSON object")
    }
  }

  @Test func `a damaged record yields a task or a one-line reason`() throws {
    var random = SeededRandom(seed: 77)
    let line = Array(
      #"{"body":"a\n","priority":3,"headers":{"k":[1,2.5,null,"é"]},"ttl":"5s","queue":"q"}"#.utf8)
    var taken = 0
    for _ in 0..<20_000 {
      var damaged = line
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<damaged.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: damaged[index] = .random(in: 0...255, using: &random)
        case 1: damaged.remove(at: index)
        default: damaged.insert(line.randomElement(using: &random)!, at: index)
        }
      }
      do throws(JSONRecord.Invalid) {
        var ids = MessageID()
        let envelope = try JSONRecord.envelope(damaged, template, &ids)
        taken += 1
        #expect(!envelope.routingKey.isEmpty)
        #expect(envelope.exchange.isEmpty)
      } catch {
        #expect(!error.reason.isEmpty)
        #expect(!error.reason.contains("\n"))
      }
    }
    #expect(taken > 0)
  }
}
