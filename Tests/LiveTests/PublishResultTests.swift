import Foundation
import TestSupport
import Testing

/// The publish result of each task.
@Suite(.busy) struct PublishResultTests {
  private func jsonl(_ lines: [String], _ options: String..., limit: Double = 60) throws -> Program.Result {
    try Program.workq(["publish", "--jsonl"] + options)
      .run(input: Array(lines.joined(separator: "\n").utf8), limit: limit)
  }

  // MARK: Returned and rejected tasks

  @Test func `publish attributes returns to the right records when all tasks have equal properties`() throws {
    let queue = freshQueue()
    let twin = #""message_id": "same", "timestamp": 1, "body": "same""#
    let lines = (0..<300).map { index in
      index % 3 == 0
        ? #"{\#(twin), "exchange": "amq.direct", "routing_key": "\#(queue)-nowhere"}"#
        : #"{\#(twin), "queue": "\#(queue)"}"#
    }
    let publish = try jsonl(lines)
    #expect(publish.status == 3)
    #expect(publish.error.contains("200 published, 100 not: records 1, 4, 7, 10,"), "\(publish.error)")
    try expect(drain(queue).map(\.text), equals: Array(repeating: "same", count: 200))
  }

  @Test func `publish reports only the rejected records when a full queue rejects some of them`() throws {
    let (queue, full) = (freshQueue(), freshQueue("full"))
    try Peer.declare(full, #"{"x-max-length": 0, "x-overflow": "reject-publish"}"#)
    let lines = (1...500).map { index in
      #"{"body": "\#(index)", "queue": "\#([17, 18, 400].contains(index) ? full : queue)"}"#
    }
    let publish = try jsonl(lines)
    #expect(publish.status == 3)
    #expect(
      publish.error.contains("497 published, 3 not: records 17-18, 400 (the queue is full"),
      "\(publish.error)")
    try expect(drain(queue).count, equals: 497)
  }

  /// The broker closes the channel because of one record and no longer confirms the records before it.
  @Test(arguments: [
    #"{"body": "no", "user_id": "nobody"}"#, #"{"body": "no", "exchange": "nope"}"#,
  ])
  func `publish neither loses nor repeats a record when another closes the channel`(refused: String) throws {
    let queue = freshQueue()
    let bodies = (1...1000).map { "\($0)" }
    var lines = bodies.map { #"{"body": "\#($0)"}"# }
    lines.insert(refused, at: 500)
    let publish = try jsonl(lines, "-q", queue)
    #expect(publish.status == 3)
    #expect(publish.error.contains("1000 published, 1 not: record 501 ("), "\(publish.error)")
    try expect(drain(queue).map(\.text), equals: bodies)
  }

  @Test func `publish retries tasks that a full queue rejects for up to --retry-for`() throws {
    let full = freshQueue("full")
    try Peer.declare(full, #"{"x-max-length": 2, "x-overflow": "reject-publish"}"#)
    let input = Array((1...9).map { "\($0)\n" }.joined().utf8)
    let impatient = try Program.workq("publish", "--lines", "--retry-for", "1s", "-q", full).run(input: input)
    #expect(impatient.status == 3)
    #expect(
      impatient.error.contains("a task is refused for now: the queue is full"),
      "\(impatient.error)")
    #expect(
      impatient.error.contains(", 7 not"),
      "\(impatient.error)")
    let script = "printf '3\\n4\\n5\\n6\\n' | \"$0\" publish --lines --retry-for 60s -q \"$1\""
    let patient = try shell(script, full).start()
    try patient.waitForError("a task is refused for now: the queue is full")
    let worker = try Program.workq("work", "--fake", "-q", full, "--count", "6").run()
    #expect(worker.status == 0)
    try expect(patient.end().status, equals: 0)
    let done = worker.outputLines.filter { $0.contains("Received") }
    #expect(done == (1...6).map { " [x] Received '\($0)'" })
  }

  /// The broker answers a request by closing the channel while publisher confirms are pending.
  @Test func `publish reports rejected records when a later record closes the channel`() throws {
    let (queue, full, quorum) = (freshQueue(), freshQueue("full"), freshQueue("quorum"))
    try Peer.declare(full, #"{"x-max-length": 0, "x-overflow": "reject-publish"}"#)
    try Peer.declare(quorum, #"{"x-queue-type": "quorum"}"#)
    let pipe = try NamedPipe()
    let publish = try shell(
      "exec \"$0\" publish --jsonl --confirm-timeout 10s -q \"$1\" <\"$2\"", queue, pipe.path
    ).start()
    try pipe.write("{\"body\": \"first\"}\n")
    // The login is complete now, so publish reads the following records in one piece.
    try waitUntil("the first task is in the queue") {
      try Program.workq("declare", "--check", queue).run().status == 0 && waiting(in: queue) == 1
    }
    let refused = String(repeating: #"{"body": "no", "queue": "\#(full)"}"# + "\n", count: 5)
    try pipe.write(refused + #"{"body": "later", "queue": "\#(quorum)", "delay": "1ms"}"# + "\n")
    try pipe.close()
    let result = try publish.end()
    #expect(result.status == 3)
    #expect(result.error.contains("2 published, 5 not: records 2-6 (the queue is full"), "\(result.error)")
    try waitUntil("the delayed task is in its queue") { try waiting(in: quorum) == 1 }
  }

  @Test func `publish declares each missing queue that the records name`() throws {
    let queue = freshQueue()
    let lines = (0..<3000).map { #"{"body": "\#($0)", "queue": "\#(queue)-\#($0 % 3)"}"# }
    let publish = try jsonl(lines)
    #expect(publish.status == 0, "\(publish.error)")
    #expect(publish.error == "", "\(publish.error)")
    for index in 0..<3 {
      let bodies = try drain("\(queue)-\(index)").compactMap { Int($0.text) }
      #expect(bodies.sorted() == Array(stride(from: index, to: 3000, by: 3)))
    }
  }

  @Test func `publish reports every task as failed when the user may not declare queues`() throws {
    let (broker, queue) = (Broker.shared, freshQueue())
    try broker.addUser(queue, password: "geheim", configure: "^$")
    let url = broker.url.replacing("guest:guest", with: "\(queue):geheim")
    let failed = FileManager.default.temporaryDirectory.appending(path: queue).path
    defer { try? FileManager.default.removeItem(atPath: failed) }
    let publish = try Program.workq("publish", "-l", "-q", queue, "--failed-to", failed)
      .at(broker.with(url: url)).run(input: Array("a\nb\nc\n".utf8))
    #expect(publish.status == 77, "\(publish.error)")
    #expect(publish.error.contains("0 published, 3 not"), "\(publish.error)")
    #expect(!publish.error.contains("geheim"))
    try expect(
      String(contentsOfFile: failed, encoding: .utf8).split(separator: "\n").sorted(),
      equals: ["a", "b", "c"])
    try broker.deleteUser(queue)
  }

  // MARK: Exchanges

  @Test func `publish routes a task by exchange and routing key, and reports an unroutable task`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    // The default exchange routes a task to the queue that its routing key names.
    try expect(Program.workq("publish", "-e", "", "-r", queue, "x").run().status, equals: 0)
    try expect(drain(queue).map(\.text), equals: ["x"])
    let nowhere = try Program.workq("publish", "-e", "amq.direct", "-r", queue, "x").run()
    #expect(nowhere.status == 65)
    #expect(nowhere.error.contains("not published: unroutable: NO_ROUTE"))
  }

  @Test(arguments: [[], ["--no-confirm"]])
  func `publish exits with 78 and names the exchange when it does not exist`(options: [String]) throws {
    let publish = try Program.workq(["publish", "-e", "nope", "x"] + options).run()
    #expect(publish.status == 78, "\(publish.error)")
    #expect(publish.error.contains("no exchange 'nope'"))
    #expect(publish.error.contains("check the exchange's name"))
    #expect(!publish.error.contains("workq declare"))
    let lines = try Program.workq(["publish", "-l", "-e", "nope"] + options).run(input: Array("a\nb\n".utf8))
    // With --no-confirm, a line can count as published before the broker closes the channel (exit code 3).
    #expect((options.isEmpty ? [78] : [78, 3]).contains(lines.status), "\(lines.error)")
  }

  @Test func `publish fails only the records with a missing exchange or an empty queue name`() throws {
    let queue = freshQueue()
    let publish = try jsonl(
      [
        #"{"body": "a"}"#, #"{"body": "b", "exchange": "nope"}"#, #"{"body": "c", "queue": ""}"#,
        #"{"body": "d"}"#,
      ],
      "-q", queue)
    #expect(publish.status == 3)
    #expect(publish.error.contains("2 published, 2 not"), "\(publish.error)")
    #expect(publish.error.contains("record 2 (NOT_FOUND - no exchange 'nope'"))
    #expect(Set(try drain(queue).map(\.text)) == ["a", "d"])
    try expect(Broker.shared.queues().filter { $0.hasPrefix("amq.gen") }, equals: [])
  }

  // MARK: Failed records

  @Test func `publish accepts the file of --failed-to as input and sends the failed records`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, #"{"x-max-length": 2, "x-overflow": "reject-publish"}"#)
    let failed = FileManager.default.temporaryDirectory.appending(path: queue).path
    defer { try? FileManager.default.removeItem(atPath: failed) }
    let records = ["one\n", "", "\u{1}two", "three", "four"]
    let first = try Program.workq("publish", "-0", "-q", queue, "--failed-to", failed)
      .run(input: Array(records.joined(separator: "\0").utf8))
    #expect(first.status == 3, "\(first.error)")
    #expect(first.error.contains("2 published, 3 not: records "), "\(first.error)")
    let arrived = try drain(queue).map(\.text)
    #expect(arrived.count == 2)
    let again = try Program.workq("publish", "-0", "-q", queue, "--failed-to", "\(failed).2", "-f", failed)
      .run()
    let rest = try drain(queue).map(\.text)
    #expect(again.status == 3)
    #expect(rest.count == 2)
    let last = try Program.workq("publish", "-0", "-q", queue, "--failed-to", failed, "-f", "\(failed).2")
      .run()
    try? FileManager.default.removeItem(atPath: "\(failed).2")
    #expect(last.status == 0, "\(last.error)")
    #expect(!FileManager.default.fileExists(atPath: failed), "\(last.error)")
    #expect((arrived + rest + (try drain(queue).map(\.text))).sorted() == records.sorted())
  }

  @Test func `publish refuses --failed-to when the file is an input or cannot be written`() throws {
    let file = try TemporaryFile("x\n")
    let same = try Program.workq("publish", "-l", "-f", file.path, "--failed-to", file.path).run()
    #expect(same.status == 64)
    #expect(same.error.contains("is also an input"))
    try expect(String(contentsOfFile: file.path, encoding: .utf8), equals: "x\n")
    let nowhere = try Program.workq("publish", "-l", "-f", file.path, "--failed-to", "/nowhere/x").run()
    #expect(nowhere.status == 73)
    #expect(nowhere.error.contains("cannot write the failed records to '/nowhere/x'"))
  }

  // MARK: --no-confirm, --no-declare, --unless-waiting

  @Test(arguments: [1, 10, 3000])
  func `publish --no-confirm sends all tasks to a missing queue that it declares`(count: Int) throws {
    let queue = freshQueue()
    let lines = (0..<count).map { "\($0)\n" }.joined()
    let publish = try Program.workq("publish", "--no-confirm", "-l", "-q", queue).run(
      input: Array(lines.utf8))
    #expect(publish.status == 0, "\(publish.error)")
    #expect(publish.error == "", "\(publish.error)")
    try expect(drain(queue).compactMap { Int($0.text) }.sorted(), equals: Array(0..<count))
  }

  @Test func `publish --no-confirm reports a missing queue and an unroutable task`() throws {
    let queue = freshQueue()
    let missing = try Program.workq("publish", "--no-confirm", "--no-declare", "-q", queue, "x").run()
    #expect(missing.status == 78, "\(missing.error)")
    #expect(missing.error.contains("'workq declare' creates a queue"), "\(missing.error)")
    let nowhere = try Program.workq("publish", "--no-confirm", "-e", "amq.direct", "-r", queue, "x").run()
    #expect(nowhere.status == 65)
    #expect(nowhere.error.contains("unroutable"))
  }

  @Test func `publish --no-declare fails only the records whose queue is missing`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let publish = try jsonl(
      [
        #"{"body": "a"}"#, #"{"body": "b", "queue": "\#(queue)-2"}"#,
        #"{"body": "c", "queue": "\#(queue)-3", "delay": 1}"#, #"{"body": "d"}"#,
      ],
      "--no-declare", "-q", queue)
    #expect(publish.status == 3)
    #expect(publish.error.contains("record 2 (queue '\(queue)-2' does not exist)"), "\(publish.error)")
    #expect(publish.error.contains("(queue '\(queue)-3' does not exist)"), "\(publish.error)")
    #expect(Set(try drain(queue).map(\.text)) == ["a", "d"])
    for missing in 2...3 {
      try expect(Program.workq("declare", "--check", "\(queue)-\(missing)").run().status, equals: 78)
    }
  }

  @Test func `publish --unless-waiting publishes nothing when that many tasks are waiting`() throws {
    let queue = freshQueue()
    let publish = Program.workq("publish", "--unless-waiting", "2", "-v", "-q", queue, "x")
    for (count, isSkipped) in [(1, false), (2, false), (2, true), (2, true)] {
      let result = try publish.run()
      #expect(result.status == 0)
      #expect(result.error.contains("2 tasks wait for '\(queue)' already") == isSkipped)
      try expectWaiting(in: queue, equals: count)
    }
  }

  // MARK: Delay

  @Test func `publish --delay sends tasks to a delay queue that dead-letters them after the delay`() throws {
    let queue = freshQueue()
    let start = Date.now
    for body in ["1", "2", "3"] {
      try expect(Program.workq("publish", "--delay", "4s", "-q", queue, body).run().status, equals: 0)
    }
    let arguments = try Broker.shared.arguments(ofQueue: delayQueue(of: queue, by: .seconds(4)))
    for argument in [
      #"{"x-message-ttl",4000}"#, #"{"x-expires",1209604000}"#, #"{"x-dead-letter-exchange",<<>>}"#,
      #"{"x-dead-letter-routing-key",<<"\#(queue)">>}"#,
      #"{"x-dead-letter-strategy",<<"at-least-once">>}"#,
    ] { #expect(arguments.contains(argument)) }
    if Date.now.timeIntervalSince(start) < 3 { try expectWaiting(in: queue, equals: 0) }
    try waitUntil("all three tasks are in the queue") { try waiting(in: queue) == 3 }
    #expect(Date.now.timeIntervalSince(start) >= 4)
    try expect(drain(queue).map(\.text), equals: ["1", "2", "3"])
  }

  @Test func `publish --delay works for a quorum queue, and a delay of 0 creates no delay queue`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, #"{"x-queue-type": "quorum"}"#)
    try expect(Program.workq("publish", "--delay", "50ms", "-q", queue, "x").run().status, equals: 0)
    try waitUntil("the task is in the queue") { try waiting(in: queue) == 1 }
    try expect(Program.workq("publish", "--delay", "0", "-q", queue, "x").run().status, equals: 0)
    try expect(Broker.shared.queues().filter { $0.hasPrefix("\(queue).delay.0") }, equals: [])
  }
}
