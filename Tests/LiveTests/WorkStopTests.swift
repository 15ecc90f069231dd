import Foundation
import TestSupport
import Testing

/// When and how a worker stops.
@Suite(.waiting) struct WorkStopTests {
  @Test func `--drain exits silently when the queue is empty`() throws {
    let result = try worker(freshQueue(), ["--drain"], script: "cat").run()
    #expect(result.status == 0)
    #expect(result.output == "")
    #expect(result.error == "")
  }

  @Test(arguments: [1, 4, 0]) func `--drain runs all waiting tasks in order`(prefetch: Int) throws {
    let queue = freshQueue()
    try publish((1...50).map { "\($0)" }, to: queue)
    let result = try worker(queue, ["--drain", "--prefetch", "\(prefetch)"], script: "cat; echo").run()
    #expect(result.status == 0)
    #expect(result.outputLines == (1...50).map { "\($0)" })
  }

  /// The broker defers operations on a quorum queue while 32 are pending.
  ///
  /// Several workers at a time, in several rounds, make that likely.
  @Test func `no task of a quorum queue is lost or repeated when a worker exits at --count`() throws {
    for _ in 1...4 {
      let queues = (1...6).map { _ in freshQueue() }
      for queue in queues {
        try Peer.declare(queue, #"{"x-queue-type":"quorum"}"#)
        try publish((1...1000).map { "\($0)" }, to: queue)
      }
      let workers = try queues.map { queue in
        try Program.workq(["work", "--fake", "-q", queue, "--count", "700", "--prefetch", "100"]).start()
      }
      for (queue, worker) in zip(queues, workers) {
        let some = try worker.end()
        #expect(some.status == 0)
        #expect(some.outputLines.count { $0.contains("Received") } == 700)
        // The broker requeues unstarted tasks after a short delay.
        try waitUntil("the rest is requeued") { try waiting(in: queue) == 300 }
        let rest = try Program.workq(["work", "--fake", "-q", queue, "--drain", "--prefetch", "0"]).run()
        #expect(rest.status == 0)
        let done = (some.outputLines + rest.outputLines).filter { $0.contains("Received") }
        #expect(Set(done).count == 1000)
        #expect(done.count == 1000)
      }
    }
  }

  @Test func `--drain waits for retries only when they are due within --idle-timeout`() throws {
    let queue = freshQueue()
    try publish(["task"], to: queue)
    let impatient = try worker(queue, ["--drain", "--retry-delay", "2s"], script: "exit 1").run()
    #expect(impatient.status == 0)
    #expect(impatient.error.contains("1 scheduled for retry"))
    try waitUntil("the retry is in the queue") { try waiting(in: queue) == 1 }
    let options = ["--drain", "--retry-delay", "1s", "--idle-timeout", "5s"]
    let script = "[ $WORKQ_ATTEMPT = 3 ] && echo done"
    let patient = try worker(queue, options, script: script).run()
    #expect(patient.status == 0)
    #expect(patient.output == "done\n")
  }

  @Test func `stops after --count tasks, and the rest is not marked as redelivered`() throws {
    let queue = freshQueue()
    try publish((1...10).map { "\($0)" }, to: queue)
    let options = ["--count", "3", "--prefetch", "0", "-j", "2"]
    let result = try worker(queue, options, script: "cat; echo").run()
    #expect(result.status == 0)
    #expect(result.outputLines.sorted() == ["1", "2", "3"])
    try expectWaiting(in: queue, equals: 7)
    let rest = try worker(queue, ["--drain"], script: "echo $WORKQ_REDELIVERED").run()
    #expect(rest.outputLines == Array(repeating: "0", count: 7))
  }

  @Test func `stops after --idle-timeout without a task, or after --max-time`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let idle = try worker(queue, ["--idle-timeout", "500ms"], script: "sleep 1; echo done").run()
    #expect(idle.status == 0)
    #expect(idle.output == "done\n")
    try publish(["b", "c"], to: queue)
    let timed = try worker(queue, ["--max-time", "500ms"], script: "sleep 1; cat").run()
    #expect(timed.status == 0)
    #expect(timed.output == "b")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func `the first signal lets the running tasks of eight jobs finish`(signal: Int32) throws {
    let queue = freshQueue()
    try publish((1...20).map { "\($0)" }, to: queue)
    let gate = FileManager.default.temporaryDirectory.appending(path: queue).path
    defer { try? FileManager.default.removeItem(atPath: gate) }
    let script = "until [ -e '\(gate)' ]; do sleep 0.05; done; cat; echo"
    let worker = try worker(queue, ["-v", "-j", "8"], script: script).start()
    try worker.waitForStart(of: 8)
    worker.signal(signal)
    try worker.waitForError("stopping: finishing 8 running tasks")
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.outputLines.count == 8)
    #expect(result.error.contains("stopping: finishing 8 running tasks"))
    try expectWaiting(in: queue, equals: 12)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a second signal stops and requeues running tasks and ends the worker`(signal: Int32) throws {
    let queue = freshQueue()
    try publish(["a", "b"], to: queue)
    let worker = try worker(queue, ["-v", "-j", "2", "--prefetch", "2"], script: "echo $$; exec sleep 600")
      .start()
    try worker.waitForStart(of: 2)
    worker.signal(signal)
    try worker.waitForError("finishing 2 running tasks")
    worker.signal(signal)
    let result = try worker.end()
    #expect(result.status == 128 + signal)
    try expectWaiting(in: queue, equals: 2)
    for pid in result.outputLines { #expect(!isAlive(pid)) }
  }

  @Test func `a second signal does not wait for --kill-after when a command ignores SIGTERM`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let worker = try worker(
      queue, ["-v", "--kill-after", "1h"], script: "trap '' TERM; sleep 600; sleep 600"
    )
    .start()
    try worker.waitForStart(of: 1)
    worker.signal(SIGTERM)
    try worker.waitForError("finishing 1 running task")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 143)
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `stops and requeues running tasks after --grace`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let worker = try worker(queue, ["-v", "--grace", "500ms"], script: "exec sleep 600").start()
    try worker.waitForStart(of: 1)
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error.contains("stopping and requeueing 1 task"))
    #expect(result.error.contains("1 requeued"))
    try expectWaiting(in: queue, equals: 1)
    let fake = try Program.workq("work", "-q", queue, "--dot", "1h", "--grace", "300ms").start()
    try publish(["."], to: queue)
    try fake.waitForOutput("Received '.'")
    fake.signal(SIGTERM)
    try expect(fake.end().status, equals: 0)
    try expectWaiting(in: queue, equals: 1)
  }

  /// The proxy delays all data, so a worker that does not wait for `connection.close-ok` exits before the
  /// broker has its acknowledgements.
  @Test(arguments: ["classic", "quorum"], [1, 8, 40])
  func `loses no acknowledgement on a slow network when it exits`(type: String, tasks: Int) throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    try expect(Program.workq("declare", "--type", type, queue).run().status, equals: 0)
    try publish((1...tasks).map { "\($0)" }, to: queue)
    proxy.set(.slow(0.1))
    let options = ["--count", "\(tasks)", "--prefetch", "\(tasks)", "-j", "8", "--quiet"]
    let result = try worker(queue, options, script: "true")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).run()
    #expect(result.status == 0)
    // A quorum queue notices the closed connection later. It would then requeue unacknowledged tasks.
    try waitUntil("its consumer is gone") { try consumers(of: queue) == 0 }
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `Ctrl-C at a terminal interrupts only the worker, not the command`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let worker = try worker(queue, ["-v"], script: "sleep 1; echo survived").inTerminal().start()
    try worker.waitForOutput("[1] a: started")
    try worker.type("\u{3}")
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.output.contains("survived"))
  }

  @Test func `handles signals that its parent process has blocked`() throws {
    // A child can inherit such a signal mask from a Dispatch thread or a shell.
    let queue = freshQueue()
    let script = """
      import os, signal, sys
      signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
      signal.signal(signal.SIGCHLD, signal.SIG_IGN)
      os.execv(sys.argv[1], ["workq", "work", "-q", sys.argv[2], "--", "cat"])
      """
    try publish(["a"], to: queue)
    let worker = try Program("/usr/bin/python3", ["-c", script, TestEnvironment.binary, queue]).start()
    try worker.waitForError("[1] a: done")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `exits on the first signal while the broker is unreachable`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    let worker = try worker(queue, script: "cat").at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForError("waiting for tasks")
    proxy.refuse(true)
    proxy.cut()
    try worker.waitForError("trying again in")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  /// timeout(1) sends its signal to the worker and then to the process group.
  @Test func `exits with 0 when a second signal arrives before the broker answers the cancel`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let worker = try worker(freshQueue(), script: "cat").at(Broker.shared.with(url: proxy.url(of: .shared)))
      .start()
    try worker.waitForError("waiting for tasks")
    proxy.set(.frozen)
    worker.signal(SIGTERM)
    try worker.waitForError("stopping")
    worker.signal(SIGTERM)
    proxy.set(.normal)
    let result = try worker.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(!result.error.contains("stopped now"), "\(result.error)")
  }

  @Test func `exits with 69 when the broker sends no heartbeats to an idle worker`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let worker = try worker(freshQueue(), ["--heartbeat", "1s", "--no-reconnect"], script: "cat")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForError("waiting for tasks")
    proxy.set(.frozen)
    let result = try worker.end()
    #expect(result.status == 69)
    #expect(result.error.contains("nothing came from the broker for two heartbeats"), "\(result.error)")
  }

  @Test func `exits on the first signal while it reconnects to a broker that does not answer`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    let options = ["--heartbeat", "1s", "--connect-timeout", "1h"]
    let worker = try worker(queue, options, script: "cat").at(Broker.shared.with(url: proxy.url(of: .shared)))
      .start()
    try worker.waitForError("waiting for tasks")
    proxy.set(.frozen)
    try worker.waitForError("connection lost")
    try waitUntil("the worker reconnects") { proxy.connections > 1 }
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `exits with 69 after a lost connection with --no-reconnect, or after --retry-for`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let broker = Broker.shared.with(url: proxy.url(of: .shared))
    let workers = try [["--no-reconnect"], ["--retry-for", "2s"]].map { options in
      try worker(freshQueue(), options, script: "cat").at(broker).start()
    }
    for worker in workers { try worker.waitForError("waiting for tasks") }
    proxy.refuse(true)
    proxy.cut()
    for worker in workers { try expect(worker.end().status, equals: 69) }
    #expect(!workers[0].error.contains("trying again"))
    #expect(workers[1].error.contains("trying again"))
  }

  @Test func `exits with 69 when the first connection fails, after --retry-for if given`() throws {
    var program = worker(freshQueue(), script: "cat")
    program.environment["AMQP_URL"] = "amqp://127.0.0.1:1"
    let start = Date.now
    try expect(program.run().status, equals: 69)
    program = worker(freshQueue(), ["--retry-for", "1s"], script: "cat")
    program.environment["AMQP_URL"] = "amqp://127.0.0.1:1"
    try expect(program.run().status, equals: 69)
    #expect(Date.now.timeIntervalSince(start) >= 1)
  }

  @Test func `reports that a task will be redelivered when its connection is lost while it runs`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let worker = try worker(queue, ["-v", "--count", "2"], script: "sleep 1; echo $WORKQ_REDELIVERED")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForStart(of: 1)
    proxy.cut()
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.outputLines == ["0", "1"])
    #expect(result.error.contains("1 running task continues, but the broker will redeliver it"))
    #expect(result.error.contains("the connection that delivered it is gone: the broker redelivers it"))
    #expect(result.error.contains(": 1 done, 1 to be redelivered;"))
    // The acknowledgement may still be in the proxy when the worker has exited.
    try waitUntil("the task is acknowledged") { try waiting(in: queue) == 0 && consumers(of: queue) == 0 }
  }

  /// In RabbitMQ 4.3, classic queues have no such timeout.
  @Test(.disposable, .enabled(if: try Broker.shared.version < RabbitMQVersion(4, 3)))
  func `explains consumer_timeout and warns when the next task approaches it`() throws {
    let broker = try DisposableBroker.get()
    func setTimeout(_ milliseconds: Int, tick: Int) throws {
      try broker.set("consumer_timeout", "\(milliseconds)")
      try broker.set("channel_tick_interval", "\(tick)")
    }
    try setTimeout(6000, tick: 1000)
    defer { try? setTimeout(1_800_000, tick: 60_000) }
    let queue = freshQueue()
    try publish(["long", "last"], to: queue, at: broker)
    let script = """
      read x
      if [ $x = long ] && [ $WORKQ_REDELIVERED = 0 ]; then sleep 9; else sleep 5.5; fi
      echo $x
      """
    let worker = try worker(queue, ["--drain"], script: script).at(broker).start()
    try worker.waitForError("not acknowledged within the broker's consumer_timeout of 6 s")
    #expect(worker.error.contains("raise consumer_timeout in rabbitmq.conf"))
    try worker.waitForError("has been unacknowledged for long")
    #expect(worker.error.contains("1 running task continues"))
    let result = try worker.end()
    #expect(result.outputLines.first == "long", "it was let to finish")
    #expect(result.error.contains("the broker redelivers it"))
  }

  @Test func `the worker stops its commands when the reader of its stdout exits`() throws {
    let queue = freshQueue()
    try publish(["a", "b", "c"], to: queue)
    let file = FileManager.default.temporaryDirectory.appending(path: "workq-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    let script = """
      "$0" work -q "$1" -j 2 --prefetch 3 --quiet -- \
        sh -c 'read x; if [ $x = a ]; then echo $$ > "$2"; exec sleep 600; fi; sleep 0.3; echo line' x x "$2" \
        | true
      """
    let result = try Program(
      "/bin/sh", ["-c", script, TestEnvironment.binary, queue, file.path]
    ).run()
    #expect(result.error == "")
    let pid = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    try waitUntil("the command is gone") { !isAlive(pid) }
  }

  @Test(
    arguments: [
      ["--shell", "--", "cat"], ["--argument"], ["--no-ack", "--count", "1"], ["--jobs", "0"],
      ["--count", "0"], ["--on-exit", "256=ack"], ["--on-exit", "1=explode"], ["--on-failure", "ack"],
      ["--no-reconnect", "--retry-for", "1s"], ["--timeout", "0"], ["--output", "loud"],
      ["--no-ack", "--on-failure", "requeue"], ["--max-attempts", "-1"], ["--retry-delay", "50d"],
    ])
  func `invalid options and combinations are usage errors`(options: [String]) throws {
    let result = try Program.workq(["work"] + options).run()
    #expect(result.status == 64)
    #expect(result.output == "")
    #expect(result.error.hasPrefix("workq: "))
  }
}
