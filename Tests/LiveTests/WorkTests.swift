import Foundation
import TestSupport
import Testing

@Suite(.waiting) struct WorkTests {
  private func publish(_ tasks: String..., to queue: String) throws {
    for task in tasks {
      try expect(Program.workq("publish", "-q", queue, task).run().status, equals: 0)
    }
  }

  @Test func `prints the tutorial's lines, acknowledges tasks and exits on SIGTERM`() throws {
    let queue = freshQueue()
    try publish("First message.", "Second message..", to: queue)
    let worker = try Program.workq("work", "-q", queue, "--dot", "100ms").start()
    try worker.waitForOutput("Done", count: 2)
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(
      result.output == """
         [*] Waiting for messages. To exit press CTRL+C
         [x] Received 'First message.'
         [x] Done
         [x] Received 'Second message..'
         [x] Done

        """)
    #expect(result.error == "workq: stopping\n")
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `--fake takes a second for each dot in the body`() throws {
    let queue = freshQueue()
    try publish("two..", to: queue)
    let worker = try Program.workq("work", "--fake", "-q", queue, "--json").start()
    try worker.waitForOutput(#""event":"done""#)
    let line = try #require(worker.output.split(separator: "\n").first { $0.contains("\"done\"") })
    let event = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    let seconds = try #require(event["seconds"] as? Double)
    #expect(seconds >= 2)
    #expect(seconds < 60)
  }

  @Test func `prints bodies of arbitrary bytes in Python's notation`() throws {
    let queue = freshQueue()
    try expect(Program.workq("publish", "-q", queue).run(input: [0xff, 0, 0x27]).status, equals: 0)
    try expect(
      Program.workq("publish", "-q", queue).run(input: Array("it's\u{1b}[2J\n".utf8)).status, equals: 0)
    let worker = try Program.workq("work", "--fake", "-q", queue).start()
    try worker.waitForOutput("Done", count: 2)
    #expect(worker.output.contains(#" [x] Received b"\xff\x00'""#))
    #expect(worker.output.contains(#" [x] Received "it's\x1b[2J\n""#))
  }

  @Test func `heartbeats keep the connection alive during a long task`() throws {
    let queue = freshQueue()
    try publish("long" + String(repeating: ".", count: 30), to: queue)
    let worker = try Program.workq("work", "--fake", "-q", queue, "--heartbeat", "2s").start()
    try worker.waitForOutput("Done")
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error == "workq: stopping\n")
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `the first signal lets the running task finish and requeues unstarted tasks`() throws {
    let queue = freshQueue()
    try publish("slow..........", "next", "last", to: queue)
    let worker = try Program.workq("work", "-q", queue, "--dot", "200ms", "--prefetch", "3").start()
    try worker.waitForOutput("Received 'slow")
    worker.signal(SIGINT)
    try worker.waitForError(
      "stopping: finishing 1 running task; press Ctrl-C again to stop now; requeued 2 tasks")
    try waitUntil("the two are requeued") { try waiting(in: queue) == 2 }
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.output.hasSuffix(" [x] Done\n"))
    #expect(!result.output.contains("next"))
    let next = try Peer.amqp("get", "-q", queue).run()
    #expect(next.output == "next", "\(next.error)")
    let left = try waiting(in: queue)
    #expect(left == 1)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `the second signal ends the process by that signal, and the task is requeued`(
    signal: Int32
  ) throws {
    let queue = freshQueue()
    try publish("endless" + String(repeating: ".", count: 600), to: queue)
    let worker = try Program.workq("work", "--fake", "-q", queue).start()
    try worker.waitForOutput("Received")
    worker.signal(signal)
    try worker.waitForError("finishing 1 running task")
    worker.signal(signal)
    let result = try worker.end()
    #expect(result.status == 128 + signal)
    #expect(result.error.hasSuffix("stopped now: running tasks (1) are requeued\n"))
    try waitUntil("the task is requeued") { try waiting(in: queue) == 1 }
  }

  @Test func `Ctrl-C at a terminal lets the running task finish`() throws {
    let queue = freshQueue()
    try publish("quick.....", to: queue)
    let worker = try Program.workq("work", "-q", queue, "--dot", "200ms").inTerminal().start()
    try worker.waitForOutput("Received 'quick.....'")
    try worker.type("\u{3}")
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.output.contains("finishing 1 running task"))
    #expect(result.output.contains("Done"))
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `keeps ignoring SIGHUP when the parent process ignores it`() throws {
    let queue = freshQueue()
    let script = "trap '' HUP; exec \"$0\" work --fake -q \"$1\""
    let worker = try Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).start()
    try worker.waitForOutput("Waiting")
    worker.signal(SIGHUP)
    try publish("still there", to: queue)
    try worker.waitForOutput("Done")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `--prefetch 1 delivers the next task to the worker that is free`() throws {
    let (first, second) = try dispatch(freshQueue(), prefetch: "1")
    #expect(
      first == ["heavy 1....................", "light 4"] || first.first == "heavy 1....................")
    #expect(first.count == 1)
    #expect(second == ["light 2", "heavy 3.", "light 4", "heavy 5."])
  }

  @Test func `--prefetch 0 delivers every second task to each of two workers`() throws {
    let (first, second) = try dispatch(freshQueue(), prefetch: "0")
    #expect(first == ["heavy 1....................", "heavy 3.", "heavy 5."])
    #expect(second == ["light 2", "light 4"])
  }

  /// Publishes five tasks, the first of them very long, to two workers.
  ///
  /// - Returns: the tasks of the worker with the long task, then those of the other worker.
  private func dispatch(_ queue: String, prefetch: String) throws -> ([String], [String]) {
    let arguments = ["work", "-q", queue, "--prefetch", prefetch, "--dot", "200ms"]
    let workers = try (0..<2).map { _ in try Program.workq(arguments).start() }
    try waitUntil("both consume") { try consumers(of: queue) == 2 }
    let tasks = ["heavy 1....................", "light 2", "heavy 3.", "light 4", "heavy 5."]
    for task in tasks { try publish(task, to: queue) }
    try waitUntil("all five are done") {
      workers.map { $0.output.ranges(of: "Done").count }.reduce(0, +) == 5
    }
    let received = workers.map { worker in
      worker.output.split(separator: "\n").compactMap { line in
        line.firstMatch(of: /Received '(.*)'/).map { String($0.1) }
      }
    }
    return received[0].first == tasks[0] ? (received[0], received[1]) : (received[1], received[0])
  }

  @Test func `another worker gets the task of a killed worker, marked as redelivered`() throws {
    let queue = freshQueue()
    try publish("precious.....", to: queue)
    let victim = try Program.workq("work", "--fake", "-q", queue).start()
    try victim.waitForOutput("Received")
    let other = try Program.workq("work", "-q", queue, "--json", "--dot", "10ms").start()
    victim.signal(SIGKILL)
    try other.waitForOutput(#""event":"done""#)
    #expect(other.output.contains(#""redelivered":true"#))
    #expect(!victim.output.contains("Done"))
  }

  @Test func `with --no-ack, a killed worker loses its task and a stopped worker finishes all`() throws {
    let queue = freshQueue()
    try publish("one..", "two..", "three..", to: queue)
    let worker = try Program.workq("work", "-q", queue, "--no-ack", "--dot", "100ms").start()
    try worker.waitForOutput("Received")
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.output.ranges(of: "Done").count == 3)
    try publish("lost" + String(repeating: ".", count: 600), to: queue)
    let victim = try Program.workq("work", "--fake", "-q", queue, "-A").start()
    try victim.waitForOutput("Received")
    victim.signal(SIGKILL)
    _ = try victim.end()
    try waitUntil("the broker has noticed the closed connection") { try consumers(of: queue) == 0 }
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `declares the queue and consumes again when the queue is deleted`() throws {
    let queue = freshQueue()
    let worker = try Program.workq("work", "--fake", "-q", queue).start()
    try worker.waitForOutput("Waiting")
    try Peer.delete(queue)
    try worker.waitForError("workq: consuming from '\(queue)' again")
    #expect(worker.error.contains("the queue was deleted or has moved"))
    try publish("after", to: queue)
    try worker.waitForOutput("Received 'after'")
    try worker.waitForOutput("Done")
  }

  @Test func `reports running tasks as done or dropped when their queue is deleted`() throws {
    let (queue, gate) = (freshQueue(), "/tmp/workq-test-\(freshQueue())")
    defer { try? FileManager.default.removeItem(atPath: gate) }
    try publish("good", "bad", to: queue)
    let script = "until [ -e '\(gate)' ]; do sleep 0.05; done; [ $1 = good ]"
    let worker = try Program.workq(
      "work", "-q", queue, "-j", "2", "-v", "--argument", "--", "sh", "-c", script, "sh"
    ).start()
    try worker.waitForError("waiting for tasks")
    for task in ["[1] good", "[2] bad"] { try worker.waitForError(task) }
    try Peer.delete(queue)
    try worker.waitForError("consuming from '\(queue)' again")
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    try worker.waitForError("[2] bad: attempt 1 of 5 failed")
    try worker.waitForError("[1] good: done")
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error.contains("1 done, 1 dropped; "), "\(result.error)")
    let lines = result.error.split(separator: "\n")
    for end in ["[1] good: done", "[2] bad: attempt 1 of 5 failed"] {
      let line = lines.first { $0.contains(end) }
      #expect(line?.hasSuffix("; the queue was deleted, and the task with it") == true, "\(result.error)")
    }
  }

  @Test func `with --no-declare, exits with 78 when the queue is missing or deleted`() throws {
    let queue = freshQueue()
    let missing = try Program.workq("work", "--fake", "--no-declare", "-q", queue).run()
    #expect(missing.status == 78)
    #expect(missing.error.contains("there is no such queue"))
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let worker = try Program.workq("work", "--fake", "--no-declare", "-q", queue).start()
    try worker.waitForOutput("Waiting")
    try Peer.delete(queue)
    try expect(worker.end().status, equals: 78)
  }

  @Test(.disposable) func `workers reconnect after a broker restart, and persistent tasks survive`() throws {
    let broker = try DisposableBroker.get()
    let (queue, busy) = (freshQueue(), freshQueue())
    for arguments in [["persistent", "--persistent"], ["transient", "--transient"]] {
      let publish = Program.workq(["publish", "-q", queue] + arguments)
      try expect(publish.at(broker).run().status, equals: 0)
    }
    try expect(Program.workq("publish", "-q", busy, "long..........").at(broker).run().status, equals: 0)
    let worker = try Program.workq("work", "-q", busy, "--dot", "300ms").at(broker).start()
    try worker.waitForOutput("Received")
    try broker.stop()
    try worker.waitForError("connection lost: ")
    try worker.waitForOutput("Done")
    try worker.waitForError("the broker redelivers the task")
    try worker.waitForError("trying again in")
    try broker.restart()
    try worker.waitForError("connected again to RabbitMQ")
    try worker.waitForOutput("Done", count: 2)
    try expectWaiting(in: queue, at: broker, equals: 1)
    try expect(Peer.amqp("get", "-q", queue, at: broker).run().output, equals: "persistent")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
    try expectWaiting(in: busy, at: broker, equals: 0)
  }

  @Test func `exits and requeues its tasks when the reader of its stdout exits`() throws {
    let queue = freshQueue()
    // The first task is long enough for head(1) to exit before the worker prints Done.
    try publish("one..", "two", "three", to: queue)
    let script = "\"$0\" work --fake -q \"$1\" | head -n 2"
    let result = try Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).run()
    #expect(
      result.outputLines == [" [*] Waiting for messages. To exit press CTRL+C", " [x] Received 'one..'"])
    #expect(result.error == "")
    try waitUntil("no consumer is left") { try consumers(of: queue) == 0 }
    #expect(try waiting(in: queue) >= 2)
  }

  @Test func `exits with 74 and requeues its task when it cannot write to stdout`() throws {
    let queue = freshQueue()
    try publish("one", to: queue)
    for output in [">/dev/full", ">&-"] {
      let script = "exec \"$0\" work --fake -q \"$1\" \(output)"
      let result = try Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).run()
      #expect(result.status == 74)
      #expect(result.error.hasPrefix("workq: cannot write to stdout: "))
    }
    try waitUntil("the task is requeued") { try waiting(in: queue) == 1 }
  }
}
