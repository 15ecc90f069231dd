import AMQP
import Foundation
import TestSupport
import Testing

@testable import workq

@Suite(.units) struct PeekReportTests {
  private func task(
    _ body: [UInt8], exchange: String = "", isRedelivered: Bool = false,
    _ change: (inout Message.Properties) -> Void = { _ in }
  ) -> Delivery {
    var message = Message(body: body)
    change(&message.properties)
    return Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: isRedelivered, exchange: exchange,
      routingKey: "q", message: message)
  }

  private var parked: Delivery {
    task(Array("resize\ncat".utf8), isRedelivered: true) {
      $0.messageID = "id"
      $0.timestamp = 1_700_000_000
      $0.deliveryMode = .persistent
      $0.expiration = "500"
      $0.headers = [
        "mine": .int64(5), "x-workq-attempts": .int64(3), "x-workq-reason": .text("exit status 1"),
        "x-workq-first-failure": .timestamp(1_700_000_060), "x-workq-stderr": .text("no\u{1b}[2J\nfile"),
      ]
    }
  }

  @Test func `peek prints a parked task's failure headers and escapes control characters`() {
    #expect(
      PeekReport.lines(parked, number: 2) == [
        "[2] redelivered",
        "  routing key     q",
        "  message id      id",
        "  expires after   500 ms",
        "  published       2023-11-14T22:13:20Z",
        "  delivery mode   persistent",
        "  attempts        3",
        "  failed because  exit status 1",
        "  first failure   2023-11-14T22:14:20Z",
        "  stderr",
        #"    no\x1b[2J"#,
        "    file",
        "  header mine     5",
        #"  body            'resize\ncat'"#,
      ])
  }

  @Test func `peek prints the dead-letter history of a task that the broker dead-lettered`() {
    let dead = task(Array("x".utf8)) {
      let entry: FieldTable = [
        "count": .int64(3), "reason": .text("expired"), "queue": .text("mail"),
        "time": .timestamp(1_700_000_000),
      ]
      $0.headers = ["x-death": .array([.table(entry)]), "x-first-death-queue": .text("mail")]
    }
    #expect(
      PeekReport.lines(dead, number: 1) == [
        "[1]", "  routing key    q",
        "  dead-lettered  expired in 'mail', 3 times, first at 2023-11-14T22:13:20Z", "  body           'x'",
      ])
  }

  @Test func `peek prints an x-death header unchanged when its format is unknown`() {
    let odd = task([]) { $0.headers = ["x-death": .text("old")] }
    #expect(PeekReport.lines(odd, number: 1).contains("  header x-death  old"))
  }

  @Test func `peek truncates a long body at a character boundary and prints its size`() throws {
    let text = String(repeating: "é", count: 3000)
    let line = try #require(PeekReport.lines(task(Array(text.utf8)), number: 1).last)
    #expect(line == "  body         '\(String(repeating: "é", count: 2048))'… (6,000 bytes)")
    let odd = try #require(PeekReport.lines(task(Array("x\(text)".utf8)), number: 1).last)
    #expect(odd.contains("'x\(String(repeating: "é", count: 2047))'… (6,001 bytes)"))
    let bytes = try #require(PeekReport.lines(task([UInt8](repeating: 0xff, count: 5000)), number: 1).last)
    #expect(bytes.contains("b'\\xff"))
    #expect(bytes.hasSuffix("… (5,000 bytes)"))
  }

  @Test func `peek prints a timestamp as seconds when it is too large for a date`() {
    let lines = PeekReport.lines(task([]) { $0.timestamp = .max }, number: 1)
    #expect(lines.contains { $0.hasSuffix("18446744073709551615 s after 1970") })
  }

  private func object(_ task: Delivery) throws -> [String: Any] {
    let line = PeekReport.json(task, queue: "q").line
    return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  @Test func `peek writes a parked task as JSON with its properties, headers and delivery data`() throws {
    let object = try object(parked)
    #expect(object["body"] as? String == "resize\ncat")
    #expect(object["queue"] as? String == "q")
    #expect(object["ttl"] as? String == "500ms")
    #expect(object["persistent"] as? Bool == true)
    let delivery = try #require(object["delivery"] as? [String: Any])
    #expect(delivery["attempt"] as? Int == 3)
    #expect(delivery["error"] as? String == "exit status 1")
    #expect(delivery["redelivered"] as? Bool == true)
    let headers = try #require(object["headers"] as? [String: Any])
    #expect(headers["mine"] as? Int == 5)
    #expect(headers["x-workq-reason"] as? String == "exit status 1")
  }

  @Test func `peek writes header values of different types as JSON`() throws {
    let table: FieldTable = [
      "camelCase": .text("stays"), "b": .boolean(true), "d": .double(1.5), "inf": .double(.infinity),
      "dec": .decimal(scale: 2, value: 5), "o": .octets([0xff]), "a": .array([.int8(-1), .text("x")]),
      "t": .table(["innerKey": .uint64(.max)]), "v": .void, "ts": .timestamp(7),
    ]
    let object = try object(task([0xff]) { $0.headers = table })
    #expect(object["body"] == nil)
    #expect(object["body_base64"] as? String == "/w==")
    let headers = try #require(object["headers"] as? [String: Any])
    #expect(headers["camelCase"] as? String == "stays")
    #expect(headers["b"] as? Bool == true)
    #expect(headers["d"] as? Double == 1.5)
    #expect(headers["inf"] as? String == "inf")
    #expect(headers["dec"] as? String == "0.05")
    #expect(headers["o"] as? String == "/w==")
    #expect((headers["a"] as? [Any])?.first as? Int == -1)
    #expect((headers["t"] as? [String: Any])?["innerKey"] as? UInt64 == .max)
    #expect(headers["v"] is NSNull)
    #expect(headers["ts"] as? Int == 7)
  }

  @Test func `formats nested, decimal, binary and void header values as text`() {
    let value: FieldValue = .array([.table(["k": .int64(1)]), .text("x"), .decimal(scale: 0, value: 7)])
    #expect(value.description == "[{k: 1}, x, 7]")
    #expect(FieldValue.octets([0xff]).description == #"b'\xff'"#)
    #expect(FieldValue.void.description == "")
  }
}
