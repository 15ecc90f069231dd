import Glibc
import TestSupport
import Testing

/// Works with other clients: RabbitMQ's Python tutorial and Debian's amqp-tools.
@Suite(.waiting) struct PeerTests {
  @Test(arguments: ["classic", "quorum"])
  func `the worker receives tasks from the tutorial's Python publisher`(type: String) throws {
    let queue = freshQueue()
    for message in ["First message.", "Second message..", "it's a \"Käse\""] {
      let send = try Peer.python("new_task", queue, type, message).run()
      try #require(send.status == 0, "\(send.error)")
    }
    let worker = try Program.workq("work", "-q", queue, "--dot", "10ms").start()
    try worker.waitForOutput("Done", count: 3)
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(
      result.outputLines.filter { $0.contains("Received") } == [
        " [x] Received 'First message.'", " [x] Received 'Second message..'",
        #" [x] Received 'it\'s a "Käse"'"#,
      ])
    try expectWaiting(in: queue, equals: 0)
  }

  @Test(arguments: ["classic", "quorum"])
  func `the tutorial's Python worker receives and acknowledges tasks from publish`(type: String) throws {
    let queue = freshQueue()
    let worker = try Peer.python("worker", queue, type).start()
    try worker.waitForOutput("Waiting")
    for message in ["First message.", "it's a \"Käse\"\n"] {
      let publish = try Program.workq("publish", "-q", queue, message).run()
      #expect(publish.status == 0)
      #expect(publish.error == "")
    }
    try worker.waitForOutput("Done mode=2", count: 2)
    #expect(worker.output.contains(" [x] Received 'First message.'\n"))
    #expect(worker.output.contains(#" [x] Received 'it\'s a "Käse"\n'"#))
    try waitUntil("both tasks are acknowledged") { try waiting(in: queue) == 0 }
  }

  @Test func `a Python consumer receives bodies of arbitrary bytes unchanged`() throws {
    let queue = freshQueue()
    let bodies: [[UInt8]] = [Array(0...255), Array("\"'\n\t\u{1b}\u{0}\\ Käse 🧀".utf8)]
    for body in bodies {
      try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    }
    let raw = try Peer.python("worker", queue, "raw").start()
    try raw.waitForOutput("Done", count: 2)
    for body in bodies {
      let hex = body.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(raw.output.contains("Received \(hex)\n"))
    }
  }

  /// The broker delivers each task to the worker that is not busy.
  @Test func `a Python worker and a workq worker share the tasks of a queue evenly`() throws {
    let queue = freshQueue()
    let python = try Peer.python("worker", queue, "classic").start()
    try python.waitForOutput("Waiting")
    let ours = try Program.workq("work", "-q", queue, "--dot", "100ms").start()
    try ours.waitForOutput("Waiting")
    for number in 1...4 {
      let task = "task \(number)" + String(repeating: ".", count: 10)
      try expect(Program.workq("publish", "-q", queue, task).run().status, equals: 0)
    }
    try waitUntil("four tasks are done") {
      (python.output + ours.output).ranges(of: "[x] Done").count == 4
    }
    #expect(python.output.ranges(of: "[x] Done").count == 2)
    #expect(ours.output.ranges(of: "[x] Done").count == 2)
  }

  @Test func `the worker receives a task from amqp-publish`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let publish = try Peer.amqp("publish", "-r", queue, "-p", "-b", "from amqp-tools").run()
    #expect(publish.status == 0, "\(publish.error)")
    let worker = try Program.workq("work", "--fake", "-q", queue).start()
    try worker.waitForOutput("Received 'from amqp-tools'\n [x] Done")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `amqp-consume receives a task from publish unchanged`() throws {
    let queue = freshQueue()
    let body = Array(0...255 as ClosedRange<UInt8>)
    try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    let consume = try Peer.amqp("consume", "-q", queue, "-c", "1", "cat").run()
    #expect(consume.status == 0, "\(consume.error)")
    #expect(consume.outputBytes == body, "\(consume.error)")
    try waitUntil("the task is acknowledged") { try waiting(in: queue) == 0 }
  }
}
