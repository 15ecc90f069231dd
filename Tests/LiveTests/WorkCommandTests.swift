import Foundation
import TestSupport
import Testing

/// `workq work -- COMMAND`: the command's input and environment, and the meaning of its exit status.
@Suite(.waiting) struct WorkCommandTests {
  @Test func `passes the body on stdin and the properties in environment variables`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, "{}")
    try SeenMessage.put(
      "the body", #"{"message_id":"id 1","priority":3,"headers":{"x-Kind":"cat","n":7}}"#, to: queue)
    let script = """
      cat; echo; echo "$WORKQ_QUEUE|$WORKQ_MESSAGE_ID|$WORKQ_ATTEMPT|$WORKQ_REDELIVERED|$WORKQ_EXCHANGE"
      echo "$WORKQ_ROUTING_KEY|$WORKQ_PRIORITY|$WORKQ_HEADER_X_KIND|$WORKQ_HEADER_N|${WORKQ_TYPE-unset}"
      """
    let result = try worker(queue, ["--count", "1"], script: script).run()
    #expect(result.status == 0)
    #expect(result.output == "the body\n\(queue)|id 1|1|0|\n\(queue)|3|cat|7|unset\n")
  }

  @Test func `passes bodies of 100 MB, empty bodies and bodies with NUL bytes completely`() throws {
    let queue = freshQueue()
    let large = [UInt8](repeating: 0x5a, count: 100 << 20)
    try expect(Program.workq("publish", "-q", queue).run(input: [0, 10, 0xff, 0]).status, equals: 0)
    try expect(Program.workq("publish", "-q", queue, "").run().status, equals: 0)
    try expect(Program.workq("publish", "-q", queue).run(input: large).status, equals: 0)
    let result = try worker(queue, ["--count", "3"], script: "wc -c").run()
    #expect(result.status == 0)
    #expect(result.outputLines == ["4", "0", "\(large.count)"])
  }

  @Test func `a command that does not read its stdin succeeds`() throws {
    let queue = freshQueue()
    let body = [UInt8](repeating: 65, count: 3 << 20)
    try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    let result = try Program.workq("work", "-q", queue, "--drain", "--", "true").run()
    #expect(result.status == 0)
    #expect(result.error.contains("1 done"))
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `a command that cannot be run stops the worker, and the task is requeued`() throws {
    let queue = freshQueue()
    try publish(["precious"], to: queue)
    let missing = try Program.workq("work", "-q", queue, "--", "/no/such/command").run()
    #expect(missing.status == 78)
    #expect(missing.error.contains("cannot run '/no/such/command': No such file or directory"))
    let byShell = try worker(queue, script: "no-such-command").run()
    #expect(byShell.status == 78)
    #expect(byShell.error.contains("exit status 127"))
    let notExecutable = try Program.workq("work", "-q", queue, "--", "env", "/etc/passwd").run()
    #expect(notExecutable.status == 78)
    #expect(notExecutable.error.contains("exit status 126"))
    try expectWaiting(in: queue, equals: 1)
    try expectWaiting(in: queue, equals: 1)
    let result = try worker(queue, ["--count", "1", "--on-exit", "127=drop"], script: "exit 127").run()
    #expect(result.status == 1, "127 has been given a meaning")
  }

  @Test func `--shell runs each body as a command line, and an unknown command fails only its task`() throws {
    let queue = freshQueue()
    try publish(["echo \"it's $WORKQ_QUEUE\"", "no-such-command", "echo last"], to: queue)
    let options = ["--shell", "--count", "3", "--on-failure", "park"]
    let result = try Program.workq(["work", "-q", queue] + options).run()
    #expect(result.status == 1)
    #expect(result.outputLines == ["it's \(queue)", "last"])
    try expectWaiting(in: "\(queue).failed", equals: 1)
  }

  @Test func `--argument appends the body to the arguments and parks unusable bodies`() throws {
    let queue = freshQueue()
    for body in [Array("--help me".utf8), [0x61, 0, 0x62], [0xff]] {
      try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    }
    let arguments = ["work", "-q", queue, "--argument", "--drain", "--", "printf", "<%s>\n", "--"]
    let result = try Program.workq(arguments).run()
    #expect(result.status == 1)
    #expect(result.outputLines == ["<-->", "<--help me>"])
    #expect(result.error.contains("NUL byte"))
    #expect(result.error.contains("not UTF-8"))
    try expectWaiting(in: "\(queue).failed", equals: 2)
  }

  @Test func `-I replaces placeholders by parts of the body and parks unusable bodies`() throws {
    let queue = freshQueue()
    for body in [
      Array("a dir/it's.jpg\n".utf8), [0x61, 0, 0x62], [0xff], [UInt8](repeating: 65, count: 131_071),
    ] {
      try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    }
    let arguments = [
      "work", "-q", queue, "-I", "--drain", "--", "printf", "<%s>\n", "{}", "to-{/}", "{.}", "{/.}",
    ]
    let result = try Program.workq(arguments).run()
    #expect(result.status == 1)
    #expect(result.outputLines == ["<a dir/it's.jpg>", "<to-it's.jpg>", "<a dir/it's>", "<it's>"])
    #expect(result.error.contains("NUL byte"))
    #expect(result.error.contains("not UTF-8"))
    #expect(result.error.contains("arguments too long"))
    try expectWaiting(in: "\(queue).failed", equals: 3)
  }

  @Test func `exits with 78 before it connects when the command cannot be executed`() throws {
    for command in [["/no/such/command"], ["no-such-command", "x"], ["/etc/passwd"], ["echo a | cat"]] {
      let result = try Program.workq(["work", "-u", "amqp://127.0.0.1:1", "-q", "q", "--"] + command).run()
      #expect(result.status == 78)
      #expect(result.error.hasPrefix("workq: cannot run '\(command[0])': "), "\(result.error)")
      #expect(result.error.contains("--shell") == command[0].contains(" "))
    }
  }

  @Test func `'--' without a command is a usage error and does not select --fake`() throws {
    let result = try Program.workq("work", "--").run()
    #expect(result.status == 64)
    #expect(result.error == "workq: after '--' there is no command (see 'workq work --help')\n")
  }

  @Test func `--timeout stops the command and the processes that it started`() throws {
    let queue = freshQueue()
    try publish(["slow"], to: queue)
    let script = "trap 'echo asked' TERM; (trap '' TERM; exec sleep 600) & echo $!; wait; wait"
    let options = ["--count", "1", "--timeout", "300ms", "--kill-after", "300ms", "--on-failure", "park"]
    let result = try worker(queue, options, script: script).run()
    #expect(result.status == 1)
    #expect(result.error.contains("timed out after 0.3 s"))
    #expect(result.outputLines.contains("asked"))
    #expect(!isAlive(result.outputLines[0]))
  }

  @Test func `a background process does not delay the result and is killed`() throws {
    let queue = freshQueue()
    try publish(["quick"], to: queue)
    let result = try worker(queue, ["--count", "1"], script: "sleep 600 & echo $!").run()
    #expect(result.status == 0)
    #expect(result.error.contains("[1] quick: done"))
    try waitUntil("the background process is gone") { !isAlive(result.outputLines[0]) }
  }

  @Test(arguments: ["grouped", "tagged"])
  func `lines of parallel commands do not mix with grouped and tagged output`(mode: String) throws {
    let queue = freshQueue()
    try publish((1...12).map { "\($0)" }, to: queue)
    let script = "read n; for i in 1 2 3 4 5; do printf \"$n-\"; sleep 0.02; echo $i; done; printf $n-end"
    let result = try worker(
      queue, ["-j", "4", "--count", "12", "--quiet", "--output", mode], script: script
    ).run()
    #expect(result.status == 0)
    #expect(result.error == "")
    let lines = result.outputLines.map { mode == "tagged" ? String($0.drop { $0 != " " }.dropFirst()) : $0 }
    #expect(lines.count == 72)
    for number in 1...12 {
      let own = lines.filter { $0.hasPrefix("\(number)-") }
      #expect(own == (1...5).map { "\(number)-\($0)" } + ["\(number)-end"])
    }
    if mode == "grouped" {
      let order = lines.map { $0.prefix { $0 != "-" } }
      #expect((1..<order.count).count { order[$0] != order[$0 - 1] } == 11, "each comes in one piece")
    }
  }

  @Test func `with one job, passes the command's output through and reports on stderr`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let result = try worker(queue, ["--count", "1"], script: "cat; echo err >&2; exit 0").run()
    #expect(result.output == "a")
    let lines = result.error.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0] == "err")
    #expect(lines[1].wholeMatch(of: /workq: \[1\] a: done in [0-9]+(\.[0-9])? m?s/) != nil, "\(lines[1])")
    #expect(lines[2].hasPrefix("workq: stopped after "))
    #expect(lines[2].contains(": 1 done; "))
  }

  @Test func `prints the start and the id of a task with -v`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let result = try worker(queue, ["-v", "--count", "1"], script: "exit 0").run()
    let start = result.error.split(separator: "\n").first { $0.contains("started") }
    #expect(start?.wholeMatch(of: /workq: \[1\] a: started \(id [0-9a-f-]{36}\)/) != nil, "\(result.error)")
  }

  @Test func `runs as many commands in parallel as -j allows`() throws {
    let queue = freshQueue()
    try publish((1...8).map { "\($0)" }, to: queue)
    // Each command exits when all eight have started.
    let meeting = FileManager.default.temporaryDirectory.appending(path: queue).path
    try FileManager.default.createDirectory(atPath: meeting, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: meeting) }
    let script = "cd '\(meeting)'; : > $$; until [ $(ls | wc -l) = 8 ]; do sleep 0.05; done"
    let result = try worker(queue, ["-j", "8", "--count", "8"], script: script).run()
    #expect(result.status == 0, "\(result.error)")
  }

  @Test func `requeues prefetched tasks that have not started when the worker stops`() throws {
    let queue = freshQueue()
    try publish((1...20).map { "\($0)" }, to: queue)
    let gate = FileManager.default.temporaryDirectory.appending(path: "workq-gate-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: gate) }
    let script = "until [ -e '\(gate)' ]; do sleep 0.05; done"
    let worker = try worker(queue, ["-v", "-j", "2", "--prefetch", "10"], script: script).start()
    try worker.waitForStart(of: 2)
    try waitUntil("ten are delivered") { try waiting(in: queue) == 10 }
    worker.signal(SIGTERM)
    try worker.waitForError("finishing 2 running tasks; press Ctrl-C again to stop now; requeued 8 tasks")
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    let result = try worker.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains(": 2 done, 8 requeued"), "\(result.error)")
    try waitUntil("all but two are requeued") { try waiting(in: queue) == 18 }
  }

  @Test func `--log json prints events with stable keys`() throws {
    let queue = freshQueue()
    try publish(["good", "bad"], to: queue)
    let script = "read x; [ $x = good ]"
    let options = ["--count", "2", "--log", "json", "--retry-delay", "1h"]
    let result = try worker(queue, options, script: script).run()
    #expect(result.status == 0)
    #expect(result.output == "")
    let events = try result.error.split(separator: "\n").map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(
      events.map { $0["event"] as? String } == [
        "consuming", "started", "done", "started", "stopping", "failed", "stopped",
      ])
    let failed = try #require(events.first { $0["event"] as? String == "failed" })
    #expect(failed["exit_status"] as? Int == 1)
    #expect(failed["action"] as? String == "retry")
    #expect(failed["retry_in_seconds"] as? Double == 3600)
    #expect(failed["attempt"] as? Int == 1)
    #expect(failed["task"] as? Int == 2)
    let stopped = try #require(events.last)
    #expect(stopped["done"] as? Int == 1)
    #expect(stopped["retried"] as? Int == 1)
  }
}
