import Foundation
import TestSupport
import Testing

/// Message properties and headers, and the output of publish.
@Suite(.waiting) struct PublishPropertyTests {
  /// Publishes to a port that nothing listens on, and exits with 69 when the arguments are valid.
  private func offline(_ arguments: [String]) -> Program {
    var program = Program.workq(["publish"] + arguments)
    program.environment["AMQP_URL"] = "amqp://guest:guest@127.0.0.1:9"
    return program
  }

  @Test func `another client receives every property that publish sets`() throws {
    let queue = freshQueue()
    let options = [
      "-H", "text: a: b", "-H", "k=v=w", "-H", "n:=7", "-H", "yes:=true", "-H", "empty=",
      "--priority", "9", "--ttl", "1.5m", "-C", "text/plain", "--content-encoding", "gzip", "--message-id",
      "m-1", "--correlation-id", "c-1", "--reply-to", "answers", "--type", "thumbnail", "--app-id", "cron",
      "--user-id", "guest",
    ]
    try expect(Program.workq(["publish", "-q", queue] + options + ["x"]).run().status, equals: 0)
    let task = try #require(try drain(queue).first)
    let expected: [String: AnyHashable] = [
      "priority": 9, "expiration": "90000", "content_type": "text/plain", "content_encoding": "gzip",
      "message_id": "m-1", "correlation_id": "c-1", "reply_to": "answers", "type": "thumbnail",
      "app_id": "cron", "user_id": "guest", "delivery_mode": 2,
    ]
    for (name, value) in expected { #expect(task.properties[name] as? AnyHashable == value, "\(name)") }
    let headers = try #require(task.properties["headers"] as? [String: Any])
    #expect(headers["text"] as? String == "a: b")
    #expect(headers["k"] as? String == "v=w")
    #expect(headers["n"] as? Int == 7)
    #expect(headers["yes"] as? Bool == true)
    #expect(headers["empty"] as? String == "")
    #expect(headers.count == 5)
    let time = try #require(task.properties["timestamp"] as? Int)
    #expect(abs(Date.now.timeIntervalSince1970 - Double(time)) < 120)
    #expect(task.properties.count == expected.count + 2)
  }

  @Test func `properties in a JSON record override those of the command line`() throws {
    let queue = freshQueue()
    let line = #"""
      {"body": "x", "headers": {"n": -7, "l": [1, {"deep": null}], "big": 9007199254740993}, "priority": 3,
      "ttl": 90, "type": "own", "timestamp": 1700000000, "transient": true, "reply_to": "answers"}
      """#.replacing("\n", with: " ")
    let publish = Program.workq(
      "publish", "--jsonl", "-q", queue, "--type", "common", "--app-id", "cron", "-H", "k=v")
    try expect(publish.run(input: Array(line.utf8)).status, equals: 0)
    let task = try #require(try drain(queue).first)
    let properties = task.properties
    #expect(properties["type"] as? String == "own")
    #expect(properties["app_id"] as? String == "cron")
    #expect(properties["priority"] as? Int == 3)
    #expect(properties["expiration"] as? String == "90000")
    #expect(properties["timestamp"] as? Int == 1_700_000_000)
    #expect(properties["delivery_mode"] as? Int == 1)
    #expect(properties["reply_to"] as? String == "answers")
    let headers = try #require(properties["headers"] as? [String: Any])
    #expect(headers["k"] as? String == "v")
    #expect(headers["big"] as? Int == 9_007_199_254_740_993)
    #expect((headers["l"] as? [Any])?.count == 2)
  }

  @Test func `publish refuses overlong or invalid properties and names before it connects`() throws {
    let (fits, long) = (String(repeating: "x", count: 255), String(repeating: "x", count: 256))
    for option in [
      "--content-type", "--content-encoding", "--message-id", "--correlation-id", "--reply-to", "--type",
      "--app-id", "--user-id",
    ] {
      try expect(offline([option, fits, "x"]).run().status, equals: 69)
      let refused = try offline([option, long, "x"]).run()
      #expect(refused.status == 64, "\(refused.error)")
      #expect(refused.error.contains("256 bytes, 255 at most"), "\(refused.error)")
    }
    let huge = String(repeating: "h", count: 100_000)
    for arguments in [
      ["-q", long, "x"], ["-q", "", "x"], ["-e", long, "x"], ["-e", "e", "-r", long, "x"],
      ["-H", "\(long)=v", "x"], ["-q", String(repeating: "q", count: 250), "--delay", "1s", "x"],
      ["--delay", "50d", "x"], ["-e", "", "x"],
    ] {
      let refused = try offline(arguments).run()
      #expect(refused.status == 64, "\(refused.error)")
      #expect(refused.error.split(separator: "\n").count == 1)
    }
    let tooLarge = try offline(["-H", "a=\(huge)", "-H", "b=\(huge)", "x"]).run()
    #expect(tooLarge.status == 65, "\(tooLarge.error)")
    #expect(tooLarge.error.split(separator: "\n").count == 1)
  }

  @Test func `publish --print-id prints the message id of each task`() throws {
    let queue = freshQueue()
    let publish = Program.workq("publish", "-l", "--print-id", "-q", queue)
    let printed = try publish.run(input: Array("a\nb\nc\n".utf8)).outputLines
    #expect(printed.count == 3)
    #expect(Set(printed).count == 3)
    #expect(printed.allSatisfy { UUID(uuidString: $0) != nil })
    try expect(drain(queue).compactMap(\.id), equals: printed)
    let given = try Program.workq("publish", "--print-id", "--message-id", "mine", "-q", queue, "x").run()
    #expect(given.output == "mine\n")
  }

  @Test func `publish --json prints one line for each record, including an invalid one`() throws {
    let (queue, full) = (freshQueue(), freshQueue("full"))
    try Peer.declare(full, #"{"x-max-length": 0, "x-overflow": "reject-publish"}"#)
    let input = """
      {"body": "good", "message_id": "m1"}
      nonsense
      {"body": "refused", "message_id": "m3", "queue": "\(full)"}
      {"body": "unroutable", "exchange": "amq.direct", "routing_key": "k", "message_id": "m4"}
      """
    let publish = try Program.workq("publish", "--jsonl", "--json", "-q", queue).run(input: Array(input.utf8))
    #expect(publish.status == 3)
    #expect(
      publish.outputLines.dropLast().sorted() == [
        #"{"bytes":10,"error":"unroutable: NO_ROUTE","event":"failed","exchange":"amq.direct","#
          + #""message_id":"m4","record":4,"routing_key":"k"}"#,
        #"{"bytes":4,"event":"published","message_id":"m1","queue":"\#(queue)","record":1}"#,
        #"{"bytes":7,"error":"the queue is full, or cannot take it now","event":"failed","message_id":"m3","#
          + #""queue":"\#(full)","record":3}"#,
        #"{"error":"it is no JSON object","event":"failed","record":2}"#,
      ])
    #expect(publish.error.contains("1 published, 3 not"))
    #expect(publish.error.contains("record 2 (it is no JSON object)"))
  }

  // MARK: Progress

  @Test func `publish shows progress and a summary only on a terminal and without --quiet`() throws {
    let queue = freshQueue()
    let lines = try TemporaryFile(String(repeating: "x\n", count: 30_000))
    let publish = try Program.workq("publish", "-l", "-f", lines.path, "-q", queue).inTerminal().run()
    #expect(publish.status == 0)
    let drawn = publish.output.split(separator: "\r")
    let steps = drawn.filter { $0.contains("published") && $0.hasSuffix("\u{1b}[K") }
    #expect(steps.contains { $0.contains(" %") }, "\(publish.output)")
    // The progress line is erased before the summary.
    let last = publish.output.split(separator: "\u{1b}[K").last ?? ""
    #expect(last.contains(" published 30,000 tasks in "), "\(publish.output)")
    #expect(last.hasSuffix("/s)\r\n"), "\(publish.output)")
    let quiet = try Program.workq("publish", "--quiet", "-l", "-f", lines.path, "-q", queue).inTerminal()
      .run()
    #expect(quiet.output == "")
    let elsewhere = try Program.workq("publish", "-l", "-f", lines.path, "-q", queue).run()
    #expect(elsewhere.output == "")
    #expect(elsewhere.error == "")
  }

  /// The broker adds headers to a task that it dead-letters (x-death).
  @Test func `publish limits the size of headers so that the broker can dead-letter the task`() throws {
    let queue = freshQueue("headers")
    func publish(_ size: Int, _ options: String...) throws -> Program.Result {
      let headers = #"{"body": "b", "headers": {"h": "\#(String(repeating: "h", count: size))"}}"#
      return try Program.workq(["publish", "--jsonl", "-q", queue] + options).run(input: Array(headers.utf8))
    }
    let tooLarge = try publish(122_900)
    #expect(tooLarge.status == 65, "\(tooLarge.error)")
    #expect(
      tooLarge.error.contains("and 122880 is the maximum: of a frame's 131072 bytes"), "\(tooLarge.error)")
    try expect(publish(122_700, "--delay", "10ms").status, equals: 0)
    try waitUntil("the delayed task is in the queue") { try waiting(in: queue) == 1 }
    try expect(Program.workq("peek", queue).run().status, equals: 0)
    let worker = try Program.workq("work", "-q", queue, "--drain", "--", "true").run()
    #expect(worker.status == 0, "\(worker.error)")
    try expectWaiting(in: queue, equals: 0)
    let header = String(repeating: "h", count: 100_000)
    let result = try Program.workq(
      "publish", "-q", queue, "-H", "a=\(header)", "-H", "b=\(header)", "x"
    ).run()
    #expect(result.status == 65, "\(result.error)")
    #expect(result.error.hasPrefix("workq: the headers take 2"), "\(result.error)")
  }

  @Test func `64-bit integer headers keep their values through the broker and peek --json`() throws {
    let queue = freshQueue("integers")
    let headers = #"{"big":9007199254740993,"least":-9223372036854775808,"most":9223372036854775807}"#
    let record = #"{"body": "b", "delay": "10ms", "headers": \#(headers)}"#
    try expect(
      Program.workq("publish", "--jsonl", "-q", queue).run(input: Array(record.utf8)).status, equals: 0)
    let typed = ["-H", "most:=9223372036854775807", "-H", "least:=-9223372036854775808"]
    try expect(Program.workq(["publish", "-q", queue, "x"] + typed).run().status, equals: 0)
    try waitUntil("both tasks are in the queue") { try waiting(in: queue) == 2 }
    let seen = try Program.workq("peek", "--json", queue).run()
    #expect(seen.output.ranges(of: #""least":-9223372036854775808,"most":9223372036854775807"#).count == 2)
    #expect(seen.output.contains(#""big":9007199254740993"#))
    // The output of peek can be published again and keeps the values.
    let again = freshQueue("integers")
    let copies = seen.output.replacing("\"\(queue)\"", with: "\"\(again)\"")
    try expect(Program.workq("publish", "--jsonl").run(input: Array(copies.utf8)).status, equals: 0)
    let copied = try Program.workq("peek", "--json", again).run()
    #expect(copied.output.ranges(of: #""least":-9223372036854775808,"most":9223372036854775807"#).count == 2)
    let unsigned = #"{"body": "b", "headers": {"n": 18446744073709551615}}"#
    let refused = try Program.workq("publish", "--jsonl", "-q", queue).run(input: Array(unsigned.utf8))
    #expect(refused.status == 65)
    #expect(refused.error.contains("which RabbitMQ would change: make it a string"), "\(refused.error)")
  }
}
