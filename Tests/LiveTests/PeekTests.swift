import Foundation
import TestSupport
import Testing

@Suite(.waiting) struct PeekTests {
  private func queue(_ tasks: String..., type: String = "classic") throws -> String {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue, "--type", type).run().status, equals: 0)
    for task in tasks { try expect(Program.workq("publish", "-q", queue, task).run().status, equals: 0) }
    try waitUntil("the tasks are waiting") { try type == "stream" || waiting(in: queue) == tasks.count }
    return queue
  }

  private func bodies(_ queue: String, count: Int = 10) throws -> [String] {
    try Program.workq("peek", queue, "--json", "-c", "\(count)").run().outputLines.compactMap { line in
      try (JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["body"] as? String
    }
  }

  @Test func `peek shows tasks in queue order and leaves them in the queue`() throws {
    let queue = try queue("one", "two", "three", "four")
    try expect(bodies(queue, count: 3), equals: ["one", "two", "three"])
    try expectWaiting(in: queue, equals: 4)
    try expect(bodies(queue), equals: ["one", "two", "three", "four"])
    let worker = try Program.workq("work", "-q", queue, "--dot", "1ms").start()
    try worker.waitForOutput("Done", count: 4)
    let received = worker.output.split(separator: "\n").filter { $0.contains("Received") }
    #expect(received.map { String($0.dropFirst(14)) } == ["'one'", "'two'", "'three'", "'four'"])
  }

  @Test(arguments: ["classic", "quorum"])
  func `peek leaves hundreds of tasks in order after it shows them`(type: String) throws {
    let queue = try self.queue(type: type)
    let tasks = (0..<450).map { "task \($0)" }
    let input = Array(tasks.map { $0 + "\n" }.joined().utf8)
    try expect(Program.workq("publish", "-q", queue, "--lines").run(input: input).status, equals: 0)
    for count in [400, 33, 450, 7, 1000] {
      try expect(bodies(queue, count: count), equals: Array(tasks.prefix(count)))
    }
    try expect(drain(queue).map(\.text), equals: tasks)
  }

  @Test func `peek loses no task of a quorum queue when it is killed`() throws {
    let queue = try self.queue(type: "quorum")
    try publish((0..<1000).map(String.init), to: queue)
    for step in 0..<10 {
      let look = Program(
        "/bin/sh",
        [
          "-c", "timeout -s KILL \(0.01 + 0.01 * Double(step)) \"$0\" peek -c 900 \"$1\"",
          TestEnvironment.binary, queue,
        ])
      _ = try look.run()
    }
    try waitUntil("all tasks are requeued") { try waiting(in: queue) == 1000 }
    try expect(Set(drain(queue).map(\.text)), equals: Set((0..<1000).map(String.init)))
  }

  @Test func `peek prints a task's attempts, failure reason, header, priority and escaped body`() throws {
    let queue = freshQueue()
    let publish = try Program.workq(
      "publish", "-q", queue, "-H", "x-workq-attempts:=5", "-H", "x-workq-reason=exit status 1", "-H",
      "tenant: acme", "--priority", "3", "a\u{1b}[2Jb"
    ).run()
    #expect(publish.status == 0, "\(publish.error)")
    let result = try Program.workq("peek", queue).run()
    for line in [
      "attempts        5", "failed because  exit status 1", "header tenant   acme", "priority        3",
      #"body            'a\x1b[2Jb'"#,
    ] {
      #expect(result.output.contains("  \(line)\n"), "\(result.output)")
    }
    #expect(result.error == "")
    #expect(result.status == 0)
    let first = try Program.workq("peek", "-c", "1", queue).run()
    #expect(first.output.hasPrefix("[1] redelivered\n"))
  }

  @Test func `peek reports when more tasks wait than it shows, and when the queue is empty`() throws {
    let queue = try queue("one", "two", "three")
    try expect(
      Program.workq("peek", "-c", "2", queue).run().error,
      equals: "workq: showed 2 of 3 waiting tasks (--count shows more)\n")
    let empty = try self.queue()
    let nothing = try Program.workq("peek", empty).run()
    #expect(nothing.status == 0)
    #expect(nothing.output == "")
    #expect(nothing.error == "workq: no task waits in '\(empty)'\n")
    try expect(Program.workq("peek", "--raw", empty).run().status, equals: 75)
    try expect(Program.workq("peek", freshQueue()).run().status, equals: 78)
  }

  @Test func `peek --raw prints the first body unchanged, and --json encodes it in base64`() throws {
    let queue = freshQueue()
    let body = [UInt8](0...255) + [UInt8](repeating: 7, count: 300_000)
    try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    let raw = try Program.workq("peek", "--raw", queue).run()
    #expect(raw.status == 0)
    #expect(raw.outputBytes == body)
    #expect(raw.error == "")
    let json = try Program.workq("peek", "--json", queue).run()
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.outputBytes)) as? [String: Any])
    #expect(object["body"] == nil)
    #expect(Data(base64Encoded: try #require(object["body_base64"] as? String)) == Data(body))
  }

  @Test func `publish --jsonl accepts the output of peek --json`() throws {
    let queue = freshQueue()
    let publish = Program.workq("publish", "-q", queue, "-H", "n:=5", "--ttl", "1h", "--type", "t", "again")
    try expect(publish.run().status, equals: 0)
    let shown = try Program.workq("peek", "--json", queue).run()
    let again = try Program.workq("publish", "--jsonl").run(input: shown.outputBytes)
    #expect(again.status == 0, "\(again.error)")
    let both = try Program.workq("peek", "--json", queue).run().outputLines
    #expect(both.count == 2)
    #expect(both[0].replacing(#""redelivered":true"#, with: #""redelivered":false"#) == both[1])
  }

  @Test func `peek of a quorum queue warns that it counts as a delivery when the broker counts it`() throws {
    let (queue, version) = (try queue("one", type: "quorum"), try Broker.shared.version)
    guard version < RabbitMQVersion(4, 3) else {
      for _ in 0...1 {
        let result = try Program.workq("peek", queue).run()
        #expect(result.error == "")
        #expect(!result.output.contains("x-delivery-count"))
      }
      return
    }
    for look in 0...1 {
      let result = try Program.workq("peek", queue).run()
      #expect(
        result.error
          == "workq: '\(queue)' is a quorum queue: this look counts as a delivery of what it shows\n")
      let count = result.output.firstMatch(of: /x-delivery-count +(\d+)\n/).flatMap { Int($0.1) }
      // RabbitMQ 3.13 and older set the count to 0 on the first delivery, newer versions omit it.
      let first = version < RabbitMQVersion(4, 0) ? 0 : nil
      #expect(count == [first, 1][look])
    }
  }

  @Test func `peek exits with 78 on a stream (540) and on a single-active-consumer queue (405)`() throws {
    let stream = try queue("one", type: "stream")
    let refused = try Program.workq("peek", stream).run()
    #expect(refused.status == 78)
    #expect(refused.error.contains("basic.get not supported by stream queues"))
    #expect(refused.error.contains("cannot get tasks of queue '\(stream)'"))
    let single = freshQueue()
    try expect(
      Program.workq("declare", single, "--type", "quorum", "--single-active-consumer").run().status, equals: 0
    )
    let locked = try Program.workq("peek", single).run()
    #expect(locked.status == 78)
    #expect(locked.error.contains("single active consumer"))
    #expect(locked.error.contains("queues of its type do not have this"))
  }
}
