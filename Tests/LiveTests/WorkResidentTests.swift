import Foundation
import TestSupport
import Testing

/// `workq work --resident`: how results, timeouts and exits of a resident command affect its tasks.
@Suite(.waiting) struct WorkResidentTests {
  /// A worker whose resident command is a shell script that reads lines.
  private func resident(_ queue: String, _ options: [String] = [], script: String) -> Program {
    worker(queue, ["--resident=lines", "--drain", "--on-failure", "park"] + options, script: script)
  }

  /// A loop over tasks, with `$x` as the task.
  private func loop(_ body: String) -> String { "while IFS= read -r x; do \(body); done" }

  private func parked(_ queue: String) throws -> [String: [String: Any]] {
    let result = try Program.workq("peek", "--json", "-c", "100", "\(queue).failed").run()
    return try result.outputLines.reduce(into: [:]) { parked, line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      parked[object?["body"] as? String ?? ""] = object?["headers"] as? [String: Any]
    }
  }

  private func gate() -> String {
    FileManager.default.temporaryDirectory.appending(path: "workq-gate-\(UUID().uuidString)").path
  }

  // MARK: Results

  @Test(arguments: [1, 5])
  func `a result line settles a task like an exit status`(window: Int) throws {
    let queue = freshQueue()
    try publish(["0", "65 not a picture", "75 retry-in=37s slow down", "9", "0"], to: queue)
    let options = ["--window", "\(window)", "--on-exit", "9=drop"]
    let result = try resident(queue, options, script: loop("echo \"$x\" >&3")).run()
    #expect(result.status == 1)
    #expect(result.error.contains("[1] 0: done in "), "\(result.error)")
    #expect(
      result.error.contains("[2] 65 not a picture: attempt 1 of 5 failed: not a picture (exit status 65), "),
      "\(result.error)")
    #expect(
      result.error.contains(
        "[3] 75 retry-in=37s slow down: attempt 1 of 5 failed: slow down (exit status 75), "),
      "\(result.error)")
    #expect(result.error.contains("[4] 9: attempt 1 of 5 failed: exit status 9, "), "\(result.error)")
    #expect(result.error.contains("2 done, 1 scheduled for retry, 1 parked, 1 dropped; "), "\(result.error)")
    try expectWaiting(in: retryQueue(of: queue, after: .seconds(40)), equals: 1)
    let headers = try #require(try parked(queue)["65 not a picture"])
    #expect(headers["x-workq-reason"] as? String == "not a picture")
  }

  @Test func `starts the command once per job, at the first task`() throws {
    let queue = freshQueue()
    try publish((1...60).map { "\($0)" }, to: queue)
    let script = "echo start; " + loop("sleep 0.01; echo 0 >&3") + "; echo end"
    let result = try resident(queue, ["-j", "3", "--output", "passthrough"], script: script).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.ranges(of: "start").count == 3)
    #expect(result.output.ranges(of: "end").count == 3)
    let idle = try resident(queue, script: script).run()
    #expect(idle.output == "")
  }

  @Test func `accepts results in any order when they name their tasks`() throws {
    let queue = freshQueue()
    try publish(["a", "b", "c", "d"], to: queue)
    let script =
      "read a; read b; read c; read d; echo '#3 0' >&3; echo 0 >&3; echo '#4 7' >&3; echo 0 >&3; cat"
    let result = try resident(queue, ["--window", "4"], script: script).run()
    #expect(result.status == 1)
    #expect(result.error.contains("3 done, 1 parked"), "\(result.error)")
    try expect(Array(parked(queue).keys), equals: ["d"])
  }

  @Test func `jsonl uses the keys of peek for the body and the properties`() throws {
    let queue = freshQueue()
    let record =
      #"{"body":"it's\n\u0001é\u007f","message_id":"id \"1\"","priority":3,"type":"t","correlation_id":"c","#
      + #""timestamp":1700000000,"ttl":"1h","reply_to":"r","headers":{"k":"v\n","n":[1,true,2.5],"t":{"u":null}}}"#
    try expect(
      Program.workq("publish", "-q", queue, "--jsonl").run(input: Array(record.utf8)).status, equals: 0)
    let peek = try #require(try Program.workq("peek", "--json", queue).run().outputLines.first)
    let options = ["work", "-q", queue, "--resident", "--drain", "--", "sh", "-c"]
    let result = try Program.workq(options + [loop(#"printf '%s\n' "$x"; echo 0 >&3"#)]).run()
    #expect(result.status == 0, "\(result.error)")
    func object(_ line: String) throws -> [String: Any] {
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    var (task, seen) = (try object(result.outputLines.first ?? ""), try object(peek))
    seen["delivery"] = nil
    for (key, value) in ["task": 1, "attempt": 1] as [String: Int] {
      #expect(task.removeValue(forKey: key) as? Int == value)
    }
    #expect(task.removeValue(forKey: "redelivered") as? Bool != nil)
    #expect(task.removeValue(forKey: "exchange") as? String == "")
    #expect(task.removeValue(forKey: "routing_key") as? String == queue)
    #expect(NSDictionary(dictionary: task) == NSDictionary(dictionary: seen))
  }

  @Test func `jsonl passes a non-UTF-8 body as base64; lines parks a body with a newline`() throws {
    let queue = freshQueue()
    for body in [[0xff, 0xfe], Array("a\nb".utf8), [0x61, 0]] {
      try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    }
    let seen = try Program.workq(
      "work", "-q", queue, "--resident", "--count", "1", "--", "sh", "-c",
      loop(#"printf '%s\n' "$x"; echo 0 >&3"#)
    ).run()
    #expect(seen.output.contains(#""body_base64":"//4=""#), "\(seen.output)")
    let result = try resident(queue, script: loop("echo 0 >&3")).run()
    #expect(result.status == 1)
    #expect(result.error.contains("the task holds a newline, which ends a task in the format 'lines'"))
    #expect(result.error.contains("1 done, 1 parked"), "\(result.error)")
  }

  @Test func `the null format ends each body with a NUL byte`() throws {
    let queue = freshQueue()
    try expect(Program.workq("publish", "-q", queue, "two\nlines").run().status, equals: 0)
    let script =
      #"perl -e '$/ = "\0"; while (<STDIN>) { print; syswrite STDOUT, ""; open R, ">&=3"; syswrite R, "0\n" }'"#
    let arguments = ["work", "-q", queue, "--resident=null", "--count", "1", "--", "sh", "-c", script]
    let result = try Program.workq(arguments).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "two\nlines\0")
  }

  @Test func `sets WORKQ_QUEUE and WORKQ_RESULT_FD for the command, but not WORKQ_ATTEMPT`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let result = try resident(queue, script: "env | grep ^WORKQ_ | sort; " + loop("echo 0 >&3")).run()
    #expect(result.output.contains("WORKQ_QUEUE=\(queue)\n"))
    #expect(result.output.contains("WORKQ_RESULT_FD=3\n"))
    #expect(!result.output.contains("WORKQ_ATTEMPT"))
  }

  @Test func `a result for a task of a lost connection is stale, and the task is redelivered`() throws {
    let (queue, gate) = (freshQueue(), gate())
    defer { try? FileManager.default.removeItem(atPath: gate) }
    try publish(["a", "b"], to: queue)
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let script = loop("echo $x; until [ -e '\(gate)' ]; do sleep 0.05; done; echo 0 >&3")
    let work = worker(queue, ["--resident=lines", "--window", "2", "--count", "4"], script: script)
    let running = try work.at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try running.waitForOutput("a")
    proxy.cut()
    try running.waitForError("connected again to")
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    let result = try running.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("[1] a: done in "), "\(result.error)")
    #expect(result.error.contains("the connection that delivered it is gone"), "\(result.error)")
    #expect(result.error.contains("2 done, 2 to be redelivered"), "\(result.error)")
    #expect(result.outputLines == ["a", "b", "a", "b"])
  }

  // MARK: Timeouts

  @Test func `a timeout stops the process, and a new process gets the other tasks as attempt 1`() throws {
    let queue = freshQueue()
    try publish(["a", "stuck", "c", "d"], to: queue)
    let script =
      "echo start; "
      + loop("case $x in *stuck*) sleep 600;; *'\"attempt\":1,'*) echo first;; esac; echo 0 >&3")
    let options = ["--resident", "--drain", "--on-failure", "park", "--window", "4", "--timeout", "2s"]
    let result = try worker(queue, options, script: script).run()
    #expect(result.status == 1)
    #expect(
      result.error.contains("[2] stuck: attempt 1 of 5 failed: timed out after 2 s, after "),
      "\(result.error)")
    #expect(result.error.contains("3 done, 1 parked"), "\(result.error)")
    #expect(result.output.ranges(of: "start").count == 2)
    #expect(result.output.ranges(of: "first").count == 3)
  }

  @Test
  func `a task's timeout starts when the task is the oldest, and a late result does not undo it`() throws {
    let queue = freshQueue()
    try publish(["a", "b", "c", "late"], to: queue)
    let script =
      "trap 'echo 0 >&3; exit 0' TERM; "
      + loop("case $x in late) sleep 600 & wait;; esac; sleep 1; echo 0 >&3")
    let result = try resident(queue, ["--window", "4", "--timeout", "2500ms"], script: script).run()
    #expect(result.status == 1)
    #expect(
      result.error.contains("[4] late: attempt 1 of 5 failed: timed out after 2.5 s"), "\(result.error)")
    #expect(result.error.contains("3 done, 1 parked"), "\(result.error)")
  }

  @Test func `reports a possible cause once when no result arrives for 30 s`() throws {
    let queue = freshQueue()
    try publish(["a", "b"], to: queue)
    // The command does not flush its output, not even when its stdin is closed.
    let script =
      "exec python3 -c 'import sys,os,time\nout = os.fdopen(3, \"w\")\nsys.stdin.readline()\nout.write(\"0\\n\")\n"
      + "time.sleep(600)'"
    let running = try worker(queue, ["--resident=lines", "-j", "2"], script: script).start()
    try running.waitForError("after 30 s: does the command write a line to descriptor 3, and flush it?")
    running.signal(SIGTERM)
    try running.waitForError("finishing 2 running tasks")
    running.signal(SIGTERM)
    let result = try running.end()
    #expect(result.status == 128 + SIGTERM)
    #expect(result.error.ranges(of: "flush it?").count == 1)
    try waitUntil("both are requeued") { try waiting(in: queue) == 2 }
  }

  // MARK: Exits

  @Test(arguments: ["exit 1", "exit 0", "kill -SEGV $$", "read x; exit 3", "exec 0<&-; exit 3"])
  func `five exits before a first result stop the worker and count no attempts`(script: String) throws {
    let queue = freshQueue()
    try publish(["a", "b", "c"], to: queue)
    let result = try resident(queue, ["--window", "2"], script: script).run()
    #expect(result.status == 78)
    #expect(
      result.error.ranges(of: "the command ended before its first result: ").count == 4, "\(result.error)")
    #expect(result.error.contains("it ended before its first result 5 times in a row"), "\(result.error)")
    try expectWaiting(in: queue, equals: 3)
    let peek = try Program.workq("peek", "--json", queue).run()
    #expect(!peek.output.contains("x-workq-attempts"), "\(peek.output)")
  }

  @Test
  func `processes that exit together before their first result count as one failure`() throws {
    let (queue, gate) = (freshQueue(), gate())
    defer { try? FileManager.default.removeItem(atPath: gate) }
    try publish((1...12).map { "\($0)" }, to: queue)
    let script = "[ -e '\(gate)' ] || { sleep 0.3; : > '\(gate)'; exit 1; }; " + loop("echo 0 >&3")
    let result = try resident(queue, ["-j", "6", "--window", "2"], script: script).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.ranges(of: "before its first result").count == 1, "\(result.error)")
    #expect(result.error.contains("12 done; "), "\(result.error)")
  }

  @Test(arguments: [
    ("exit 1", "exit status 1"), ("exit 0", "exit status 0"), ("kill -SEGV $$", "killed by SIGSEGV"),
  ])
  func `an exit after the first result fails the oldest task, and a new process runs the others`(
    end: String, reason: String
  ) throws {
    let queue = freshQueue()
    try publish(["a", "bad", "c", "d"], to: queue)
    let script = loop("[ $x = bad ] && { echo oops >&2; \(end); }; echo 0 >&3")
    let result = try resident(queue, ["--window", "4", "--output", "tagged"], script: script).run()
    #expect(result.status == 1)
    #expect(
      result.error.contains("[2] bad: attempt 1 of 5 failed: ended without a result: \(reason), after "),
      "\(result.error)")
    #expect(result.error.contains("3 done, 1 parked"), "\(result.error)")
    let headers = try #require(try parked(queue)["bad"])
    #expect(headers["x-workq-reason"] as? String == "ended without a result: \(reason)")
    #expect(headers["x-workq-attempts"] as? Int == 1)
    #expect(headers["x-workq-stderr"] as? String == "oops\n")
  }

  @Test func `starts a new process at the next task after an exit with no task outstanding`() throws {
    let queue = freshQueue()
    try publish(["a", "b", "c"], to: queue)
    // A task that the process has not read does not count as attempted.
    let result = try resident(queue, script: "read x; echo $x; echo 0 >&3").run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.outputLines == ["a", "b", "c"])
    #expect(result.error.contains("3 done; "), "\(result.error)")
  }

  @Test(arguments: ["exit 127", "exit 126", "read x; echo 0 >&3; read x; exit 127"])
  func `exit status 126 or 127 stops the worker, and its tasks are requeued`(script: String) throws {
    let queue = freshQueue()
    try publish(["a", "b", "c"], to: queue)
    let result = try resident(queue, ["--window", "3"], script: script).run()
    #expect(result.status == 78)
    #expect(result.error.contains("cannot run the command: exit status 12"), "\(result.error)")
    try expectWaiting(in: queue, equals: script.contains("echo") ? 2 : 3)
  }

  @Test func `a command that cannot be executed stops the worker`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let file = try TemporaryFile(executable: "no program")
    let result = try Program.workq("work", "-q", queue, "--resident", "--", file.path).run()
    #expect(result.status == 78)
    #expect(result.error.contains("Exec format error"), "\(result.error)")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `closes stdin after --max-tasks results, lets the process finish and starts a new one`() throws {
    let queue = freshQueue()
    try publish((1...10).map { "\($0)" }, to: queue)
    let script = "n=0; " + loop("n=$((n+1)); echo 0 >&3") + "; echo \"end after $n\""
    let result = try resident(queue, ["--max-tasks", "4", "--window", "3"], script: script).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.outputLines == ["end after 4", "end after 4", "end after 2"])
  }

  // MARK: Shutdown

  @Test func `a signal lets the command deliver its results, read the end of stdin and finish`() throws {
    let (queue, gate) = (freshQueue(), gate())
    defer { try? FileManager.default.removeItem(atPath: gate) }
    try publish((1...9).map { "\($0)" }, to: queue)
    let script =
      loop("echo $x; until [ -e '\(gate)' ]; do sleep 0.05; done; echo 0 >&3") + "; sleep 0.3; echo finished"
    let running = try worker(queue, ["--resident=lines", "--window", "3", "--prefetch", "6"], script: script)
      .start()
    try running.waitForOutput("1")
    running.signal(SIGTERM)
    try running.waitForError("finishing 3 running tasks")
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    let result = try running.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.outputLines == ["1", "2", "3", "finished"])
    #expect(result.error.contains("3 done"), "\(result.error)")
    try expectWaiting(in: queue, equals: 6)
  }

  @Test func `prints the summary after all processes have exited`() throws {
    let queue = freshQueue()
    try publish((1...6).map { "\($0)" }, to: queue)
    let script = loop("sleep 0.05; echo 0 >&3") + "; sleep 0.5; echo finished >&2"
    let result = try resident(queue, ["-j", "3", "--output", "passthrough"], script: script).run()
    #expect(result.status == 0, "\(result.error)")
    let summary = try #require(result.error.ranges(of: "6 done").last)
    let ends = result.error.ranges(of: "finished")
    #expect(ends.count == 3)
    #expect(ends.allSatisfy { $0.upperBound < summary.lowerBound }, "\(result.error)")
  }

  @Test func `two signals kill a process that does not exit at the end of stdin`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let script =
      "trap '' TERM; echo $$; " + loop("echo 0 >&3") + "; echo waiting; while :; do sleep 0.1; done"
    let options = ["--kill-after", "1h", "--output", "passthrough"]
    let running = try resident(queue, options, script: script).start()
    try running.waitForOutput("waiting")
    running.signal(SIGTERM)
    try running.waitForError("stopping")
    running.signal(SIGTERM)
    let result = try running.end(within: 30)
    #expect(result.status == 128 + SIGTERM)
    #expect(!isAlive(result.outputLines.first ?? "1"))
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `acknowledges consecutive completed tasks together`() throws {
    let queue = freshQueue()
    try publish((1...300).map { "\($0)" }, to: queue)
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let helper =
      "import os, sys\nwhile sys.stdin.readline():\n  for _ in range(99): sys.stdin.readline()\n"
      + "  os.write(3, b'0\\n' * 100)"
    let arguments = ["work", "-q", queue, "--resident=lines", "--window", "100", "--count", "300", "--"]
    let work = Program.workq(arguments + ["python3", "-c", helper])
    let result = try work.at(Broker.shared.with(url: proxy.url(of: .shared))).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("300 done"), "\(result.error)")
    // The frames for login, consume and cancel, and an acknowledgement for each hundred tasks.
    #expect(proxy.framesSent < 30)
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `sends SIGTERM, then SIGKILL, to a process that does not exit at the end of stdin`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let script = "trap 'echo asked' TERM; " + loop("echo 0 >&3") + "; echo $$; while :; do sleep 0.1; done"
    let result = try resident(queue, ["--kill-after", "400ms"], script: script).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.outputLines.contains("asked"))
    #expect(!isAlive(result.outputLines.first ?? "1"))
  }

  @Test func `sends no SIGTERM to a process that exits at once at the end of stdin`() throws {
    for _ in 1...15 {
      let queue = freshQueue("early")
      try publish(["a"], to: queue)
      let script = "trap 'echo asked' TERM; " + loop("echo 0 >&3")
      let result = try resident(queue, ["--kill-after", "3s"], script: script).run()
      #expect(result.status == 0)
      #expect(result.output == "")
      try #require(result.error.contains("1 done"), "\(result.error)")
    }
  }

  @Test func `--grace stops tasks that exceed it and requeues them`() throws {
    let queue = freshQueue()
    try publish(["a", "b"], to: queue)
    let options = ["--resident=lines", "--window", "2", "--grace", "300ms"]
    let running = try worker(queue, options, script: "read x; echo $x; exec sleep 600").start()
    try running.waitForOutput("a")
    running.signal(SIGTERM)
    let result = try running.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("0 done, 2 requeued"), "\(result.error)")
    try expectWaiting(in: queue, equals: 2)
  }

  @Test func `a second signal kills busy and idle processes`() throws {
    let queue = freshQueue()
    try publish(["a", "b"], to: queue)
    let script =
      "trap '' TERM; echo $$; " + loop("[ $x = b ] && exec sleep 600; echo 0 >&3") + "; exec sleep 600"
    let options = ["--resident=lines", "-j", "2", "--output", "passthrough"]
    let running = try worker(queue, options, script: script).start()
    try running.waitForError("[1] a: done")
    running.signal(SIGTERM)
    try running.waitForError("finishing 1 running task")
    running.signal(SIGTERM)
    let result = try running.end()
    #expect(result.status == 128 + SIGTERM)
    for pid in result.outputLines { try waitUntil("\(pid) is gone") { !isAlive(pid) } }
    try waitUntil("the task is requeued") { try waiting(in: queue) == 1 }
  }

  // MARK: Output

  @Test func `tags output with the number of the process instead of the task`() throws {
    let queue = freshQueue()
    try publish((1...8).map { "\($0)" }, to: queue)
    let script = loop("echo out; sleep 0.05; echo 0 >&3")
    let result = try resident(queue, ["-j", "2"], script: script).run()
    #expect(Set(result.outputLines) == ["[1] out", "[2] out"])
    let json = freshQueue()
    try publish(["a"], to: json)
    let objects = try resident(json, ["--json"], script: script).run()
    #expect(objects.outputLines.allSatisfy { $0.hasPrefix("{") })
    #expect(objects.error.contains("[1] out"))
  }

  @Test(arguments: [
    (["--resident"], "--resident needs a command"), (["--resident", "--shell"], "exclude each other"),
    (["--resident", "--argument", "--", "true"], "exclude each other"),
    (["--resident", "-I", "--", "true"], "exclude each other"),
    (["--resident", "--output", "grouped", "--", "true"], "exclude each other"),
    (["--window", "2", "--", "true"], "--window needs --resident"),
    (["--max-tasks", "2", "--", "true"], "--max-tasks needs --resident"),
    (["--resident=xml", "--", "true"], "use jsonl, lines or null"),
    (["--resident", "--window", "0", "--", "true"], "invalid number"),
  ])
  func `invalid options and combinations are usage errors`(options: [String], message: String) throws {
    let result = try Program.workq(["work", "-q", "q"] + options).run()
    #expect(result.status == 64)
    #expect(result.error.contains(message), "\(result.error)")
  }
}
