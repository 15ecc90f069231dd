import Foundation
import TestSupport
import Testing

/// What became of each task.
@Suite(.busy) struct PublishFateTests {
  private func jsonl(_ lines: [String], _ options: String..., limit: Double = 60) throws -> Program.Result {
    try Program.workq(["publish", "--jsonl"] + options)
      .run(input: Array(lines.joined(separator: "\n").utf8), limit: limit)
  }

  // MARK: Returned, refused

  @Test func `tasks that are equal in everything are told apart by their fates`() throws {
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

  @Test func `a refusal in the middle is of that record alone`() throws {
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

  /// The broker closes the channel over a record, and confirms none of those before it any more.
  @Test(arguments: [
    #"{"body": "no", "user_id": "nobody"}"#, #"{"body": "no", "exchange": "nope"}"#,
  ])
  func `sends no record again when the channel is closed over a later one`(refused: String) throws {
    let queue = freshQueue()
    let bodies = (1...1000).map { "\($0)" }
    var lines = bodies.map { #"{"body": "\#($0)"}"# }
    lines.insert(refused, at: 500)
    let publish = try jsonl(lines, "-q", queue)
    #expect(publish.status == 3)
    #expect(publish.error.contains("1000 published, 1 not: record 501 ("), "\(publish.error)")
    try expect(drain(queue).map(\.text), equals: bodies)
  }

  @Test func `what a full queue does not take is tried again for as long as was asked for`() throws {
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

  /// A question that the broker answers by closing the channel, while verdicts are out.
  @Test func `a refusal is heard also when the channel is closed over a later record`() throws {
    let (queue, full, quorum) = (freshQueue(), freshQueue("full"), freshQueue("quorum"))
    try Peer.declare(full, #"{"x-max-length": 0, "x-overflow": "reject-publish"}"#)
    try Peer.declare(quorum, #"{"x-queue-type": "quorum"}"#)
    let pipe = try NamedPipe()
    let publish = try shell(
      "exec \"$0\" publish --jsonl --confirm-timeout 10s -q \"$1\" <\"$2\"", queue, pipe.path
    ).start()
    try pipe.write("{\"body\": \"first\"}\n")
    // From here on the log-in is over, and what follows comes in one piece.
    try waitUntil("the first is there") {
      try Program.workq("declare", "--check", queue).run().status == 0 && waiting(in: queue) == 1
    }
    let refused = String(repeating: #"{"body": "no", "queue": "\#(full)"}"# + "\n", count: 5)
    try pipe.write(refused + #"{"body": "later", "queue": "\#(quorum)", "delay": "1ms"}"# + "\n")
    try pipe.close()
    let result = try publish.end()
    #expect(result.status == 3)
    #expect(result.error.contains("2 published, 5 not: records 2-6 (the queue is full"), "\(result.error)")
    try waitUntil("the late one is there") { try waiting(in: quorum) == 1 }
  }

  @Test func `a missing queue is made for each record that needs one`() throws {
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

  @Test func `a user who may not make queues learns the fate of every task`() throws {
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

  @Test func `a task goes to an exchange, by its routing key`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    // The exchange without a name hands a task to the queue of its key.
    try expect(Program.workq("publish", "-e", "", "-r", queue, "x").run().status, equals: 0)
    try expect(drain(queue).map(\.text), equals: ["x"])
    let nowhere = try Program.workq("publish", "-e", "amq.direct", "-r", queue, "x").run()
    #expect(nowhere.status == 65)
    #expect(nowhere.error.contains("not published: unroutable: NO_ROUTE"))
  }

  @Test(arguments: [[], ["--no-confirm"]])
  func `a missing exchange is 78, and says what is missing`(options: [String]) throws {
    let publish = try Program.workq(["publish", "-e", "nope", "x"] + options).run()
    #expect(publish.status == 78, "\(publish.error)")
    #expect(publish.error.contains("no exchange 'nope'"))
    #expect(publish.error.contains("check the exchange's name"))
    #expect(!publish.error.contains("workq declare"))
    let lines = try Program.workq(["publish", "-l", "-e", "nope"] + options).run(input: Array("a\nb\n".utf8))
    // Without declaring, the first line's return comes before the channel is closed over the second.
    #expect((options.isEmpty ? [78] : [78, 3]).contains(lines.status), "\(lines.error)")
  }

  @Test func `a record with a missing exchange, or without a queue's name, fails alone`() throws {
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

  @Test func `what failed can be published again`() throws {
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

  @Test func `the file of failed records cannot be an input, and must be writable`() throws {
    let file = try TemporaryFile("x\n")
    let same = try Program.workq("publish", "-l", "-f", file.path, "--failed-to", file.path).run()
    #expect(same.status == 64)
    #expect(same.error.contains("is also an input"))
    try expect(String(contentsOfFile: file.path, encoding: .utf8), equals: "x\n")
    let nowhere = try Program.workq("publish", "-l", "-f", file.path, "--failed-to", "/nowhere/x").run()
    #expect(nowhere.status == 73)
    #expect(nowhere.error.contains("cannot write the failed records to '/nowhere/x'"))
  }

  // MARK: Without confirms, without declaring, unless waiting

  @Test(arguments: [1, 10, 3000])
  func `without confirms tasks for a missing queue are all there when it ends`(count: Int) throws {
    let queue = freshQueue()
    let lines = (0..<count).map { "\($0)\n" }.joined()
    let publish = try Program.workq("publish", "--no-confirm", "-l", "-q", queue).run(
      input: Array(lines.utf8))
    #expect(publish.status == 0, "\(publish.error)")
    #expect(publish.error == "", "\(publish.error)")
    try expect(drain(queue).compactMap { Int($0.text) }.sorted(), equals: Array(0..<count))
  }

  @Test func `without confirms what comes back is still said`() throws {
    let queue = freshQueue()
    let missing = try Program.workq("publish", "--no-confirm", "--no-declare", "-q", queue, "x").run()
    #expect(missing.status == 78, "\(missing.error)")
    #expect(missing.error.contains("'workq declare' creates a queue"), "\(missing.error)")
    let nowhere = try Program.workq("publish", "--no-confirm", "-e", "amq.direct", "-r", queue, "x").run()
    #expect(nowhere.status == 65)
    #expect(nowhere.error.contains("unroutable"))
  }

  @Test func `without declaring, records for missing queues fail alone`() throws {
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

  @Test func `a job that must not pile up publishes nothing when enough is waiting`() throws {
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

  @Test func `a delayed task waits in the broker, in a queue that outlives it`() throws {
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
    try waitUntil("all three have come") { try waiting(in: queue) == 3 }
    #expect(Date.now.timeIntervalSince(start) >= 4)
    try expect(drain(queue).map(\.text), equals: ["1", "2", "3"])
  }

  @Test func `a delay leads to any kind of queue, and a delay of nothing is none`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, #"{"x-queue-type": "quorum"}"#)
    try expect(Program.workq("publish", "--delay", "50ms", "-q", queue, "x").run().status, equals: 0)
    try waitUntil("it has come") { try waiting(in: queue) == 1 }
    try expect(Program.workq("publish", "--delay", "0", "-q", queue, "x").run().status, equals: 0)
    try expect(Broker.shared.queues().filter { $0.hasPrefix("\(queue).delay.0") }, equals: [])
  }
}
