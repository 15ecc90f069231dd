import Foundation
import TestSupport
import Testing

@Suite(.waiting) struct WorkTests {
  private func publish(_ tasks: String..., to queue: String) throws {
    for task in tasks {
      try expect(Program.workq("publish", "-q", queue, task).run().status, equals: 0)
    }
  }

  @Test func `it prints the tutorial's lines, acknowledges, and leaves on a signal`() throws {
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

  @Test func `a dot takes a second`() throws {
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

  @Test func `bodies of any bytes are shown as Python shows them`() throws {
    let queue = freshQueue()
    try expect(Program.workq("publish", "-q", queue).run(input: [0xff, 0, 0x27]).status, equals: 0)
    try expect(
      Program.workq("publish", "-q", queue).run(input: Array("it's\u{1b}[2J\n".utf8)).status, equals: 0)
    let worker = try Program.workq("work", "--fake", "-q", queue).start()
    try worker.waitForOutput("Done", count: 2)
    #expect(worker.output.contains(#" [x] Received b"\xff\x00'""#))
    #expect(worker.output.contains(#" [x] Received "it's\x1b[2J\n""#))
  }

  @Test func `heartbeats flow during a long task`() throws {
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

  @Test func `the first signal finishes the task at hand, and gives back what was not begun`() throws {
    let queue = freshQueue()
    try publish("slow..........", "next", "last", to: queue)
    let worker = try Program.workq("work", "-q", queue, "--dot", "200ms", "--prefetch", "3").start()
    try worker.waitForOutput("Received 'slow")
    worker.signal(SIGINT)
    try worker.waitForError(
      "stopping: finishing 1 running task; press Ctrl-C again to stop now; requeued 2 tasks")
    try waitUntil("the two are back in the queue") { try waiting(in: queue) == 2 }
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
  func `the second signal leaves at once, by that signal, and the task goes back`(
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
    try waitUntil("the task is back") { try waiting(in: queue) == 1 }
  }

  @Test func `Ctrl-C typed at a terminal is the same`() throws {
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

  @Test func `a signal that was ignored stays ignored`() throws {
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

  @Test func `fair dispatch gives the next task to whoever is free`() throws {
    let (first, second) = try dispatch(freshQueue(), prefetch: "1")
    #expect(
      first == ["heavy 1....................", "light 4"] || first.first == "heavy 1....................")
    #expect(first.count == 1)
    #expect(second == ["light 2", "heavy 3.", "light 4", "heavy 5."])
  }

  @Test func `round-robin dispatch gives every second task to each`() throws {
    let (first, second) = try dispatch(freshQueue(), prefetch: "0")
    #expect(first == ["heavy 1....................", "heavy 3.", "heavy 5."])
    #expect(second == ["light 2", "light 4"])
  }

  /// Five tasks to two workers, of which one gets a very heavy one.
  ///
  /// - Returns: what the worker with the heavy one received, and the other.
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

  @Test func `a worker killed in mid-task leaves it to another, marked as redelivered`() throws {
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

  @Test func `with --no-ack a killed worker loses its task, and a stopped one finishes all`() throws {
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
    try waitUntil("the broker has noticed its end") { try consumers(of: queue) == 0 }
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `a queue deleted under it is declared and consumed again`() throws {
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

  @Test func `with --no-declare a queue deleted under it, or missing, is 78`() throws {
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

  @Test(.disposable) func `a broker stopped and started again keeps what is durable, and workers come back`()
    throws
  {
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

  @Test func `a worker whose stdout goes away ends, and its task goes back`() throws {
    let queue = freshQueue()
    // The first takes long enough for head(1) to be gone when its end is to be printed.
    try publish("one..", "two", "three", to: queue)
    let script = "\"$0\" work --fake -q \"$1\" | head -n 2"
    let result = try Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).run()
    #expect(
      result.outputLines == [" [*] Waiting for messages. To exit press CTRL+C", " [x] Received 'one..'"])
    #expect(result.error == "")
    try waitUntil("no consumer is left") { try consumers(of: queue) == 0 }
    #expect(try waiting(in: queue) >= 2)
  }

  @Test func `a worker that cannot write ends with 74, and its task goes back`() throws {
    let queue = freshQueue()
    try publish("one", to: queue)
    for output in [">/dev/full", ">&-"] {
      let script = "exec \"$0\" work --fake -q \"$1\" \(output)"
      let result = try Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).run()
      #expect(result.status == 74)
      #expect(result.error.hasPrefix("workq: cannot write to stdout: "))
    }
    try waitUntil("the task is back") { try waiting(in: queue) == 1 }
  }
}
