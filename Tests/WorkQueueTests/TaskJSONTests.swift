import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct TaskJSONTests {
  private func line(_ body: [UInt8], _ headers: FieldTable? = nil, format: TaskFormat = .jsonl) -> [UInt8] {
    var message = Message(body: body)
    message.properties.headers = headers
    let delivery = Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: true, exchange: "e", routingKey: "k",
      message: message)
    let job = Job(number: 17, delivery: delivery, attempt: 2, started: .now, received: .now)
    var bytes: [UInt8] = []
    format.append(job, queue: "q", to: &bytes)
    return bytes
  }

  @Test func `writes a task as a single line of JSON`() {
    let text = String(decoding: line(Array("a\"\\\n\r\t\u{1}\u{1f}é/".utf8), ["n": .int8(-1)]), as: UTF8.self)
    #expect(
      text == #"{"task":17,"body":"a\"\\\n\r\t\u0001\u001fé/","attempt":2,"redelivered":true,"queue":"q","#
        + #""exchange":"e","routing_key":"k","persistent":false,"headers":{"n":-1}}"# + "\n")
  }

  @Test func `writes headers of many types, and only the first of two with the same name`() throws {
    let headers = FieldTable(entries: [
      .init(name: "a", value: .array([.boolean(true), .void, .double(2.5), .float(3), .double(.nan)])),
      .init(name: "d", value: .decimal(scale: 2, value: 314)), .init(name: "d", value: .int8(1)),
      .init(name: "b", value: .bytes([0xff])), .init(name: "t", value: .table(["u": .uint64(.max)])),
      .init(name: "o", value: .octets([0xfe])), .init(name: "s", value: .timestamp(7)),
    ])
    let text = String(decoding: line([], headers), as: UTF8.self)
    #expect(
      text.contains(
        #""headers":{"a":[true,null,2.5,3,"nan"],"d":"3.14","b":"/w==","t":{"u":18446744073709551615},"o":"/g==","s":7}"#
      ), "\(text)")
  }

  @Test func `writes valid JSON from which a random body can be read back`() throws {
    var random = SeededRandom(seed: 32)
    for _ in Fuzz.cases(2000) {
      let body = random.nonsense(["\"", "\\", "\n", "\u{0}", "é", "\u{7f}", "\u{2028}", "x"], upTo: 20)
      let bytes = line(body)
      #expect(bytes.count { $0 == 0x0a } == 1)
      let object = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
      let found =
        (object["body"] as? String).map { Array($0.utf8) }
        ?? (object["body_base64"] as? String).flatMap { Data(base64Encoded: $0) }.map { Array($0) }
      if found != body { Issue.record("\(body)") }
    }
  }

  @Test func `writes the body and a delimiter, and refuses a body that contains the delimiter`() {
    #expect(line([0x61, 0], format: .lines) == [0x61, 0, 0x0a])
    #expect(line([0x61, 0x0a], format: .null) == [0x61, 0x0a, 0])
    #expect(TaskFormat.lines.objection(to: [0x61, 0]) == nil)
    #expect(TaskFormat.lines.objection(to: [0x61, 0x0a])?.contains("newline") == true)
    #expect(TaskFormat.null.objection(to: [0])?.contains("NUL byte") == true)
    #expect(TaskFormat.jsonl.objection(to: [0, 0x0a]) == nil)
  }
}

/// Which of its tasks a resident command may have started.
@Suite(.units) struct TaskPipeTests {
  @Test func `counts the bytes read, keeps unsent bytes and detects that the reader is closed`() throws {
    signal(SIGPIPE, SIG_IGN)
    defer { signal(SIGPIPE, SIG_DFL) }
    let (readEnd, writeEnd) = try Files.pipe(isInput: true)
    let pipe = TaskPipe(writeEnd)
    pipe.append { $0 += [UInt8](repeating: 65, count: 300_000) }
    #expect(pipe.added == 300_000)
    pipe.flush()
    #expect(pipe.hasUnsent)
    #expect(pipe.consumed == 0)
    var buffer = [UInt8](repeating: 0, count: 100)
    #expect(read(readEnd, &buffer, 100) == 100)
    #expect(pipe.consumed == 100)
    close(readEnd)
    pipe.flush()
    #expect(pipe.hasNoReader)
    #expect(pipe.consumed == 100)
  }
}
