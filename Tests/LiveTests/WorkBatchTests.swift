import Foundation
import TestSupport
import Testing

/// `workq work --batch`: one run of the command for many tasks.
@Suite(.waiting) struct WorkBatchTests {
  private let queue = freshQueue("batch")

  /// A worker that ends after `count` tasks: with `--drain`, a slow broker makes batches smaller.
  private func batch(of count: Int, _ options: [String] = [], script: String) -> Program {
    let always = ["--batch", "500", "--batch-wait", "1h", "--count", "\(count)", "--on-failure", "park"]
    return worker(queue, always + options, script: script)
  }

  private func peek(_ queue: String) throws -> [(body: String, headers: [String: Any])] {
    try Program.workq("peek", "--json", "-c", "1000", queue).run().outputLines.map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return (object?["body"] as? String ?? "", object?["headers"] as? [String: Any] ?? [:])
    }
  }

  @Test func `passes at most N bodies to a run, one per line and in queue order`() throws {
    try publish((1...23).map { "\($0)" }, to: queue)
    let script = "echo $WORKQ_BATCH $WORKQ_QUEUE; cat | xargs"
    let result = try batch(of: 23, ["--batch", "10"], script: script).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(
      result.outputLines == [
        "10 \(queue)", "1 2 3 4 5 6 7 8 9 10", "10 \(queue)", "11 12 13 14 15 16 17 18 19 20", "3 \(queue)",
        "21 22 23",
      ])
    #expect(result.error.contains("23 done; "), "\(result.error)")
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `bisects a failed batch of 500 tasks and parks only the failing one`() throws {
    try publish((1...500).map { $0 == 321 ? "bad" : "\($0)" }, to: queue)
    let runs = try TemporaryFile("")
    let script = "echo run >>'\(runs.path)'; ! grep -q bad"
    let result = try batch(of: 500, ["--quiet"], script: script).run()
    #expect(result.status == 1)
    #expect(result.error.contains("1 task failed: exit status 1 (1); 1 parked in"), "\(result.error)")
    let parked = try peek("\(queue).failed")
    #expect(parked.map(\.body) == ["bad"])
    #expect(parked.first?.headers["x-workq-attempts"] as? Int == 1)
    try expectWaiting(in: queue, equals: 0)
    let count = try String(contentsOfFile: runs.path, encoding: .utf8).split(separator: "\n").count
    #expect(count > 10)
    #expect(count < 22)
  }

  @Test func `retries each task of a failed batch separately and counts attempts per task`() throws {
    try publish(["bad 1", "good", "bad 2"], to: queue)
    let options = [
      "--batch", "500", "--drain", "--wait-for-retries", "--retry-delay", "100ms", "--max-attempts", "2",
    ]
    let result = try worker(queue, options, script: "! grep -q bad").run()
    #expect(result.status == 1)
    let parked = try peek("\(queue).failed")
    #expect(Set(parked.map(\.body)) == ["bad 1", "bad 2"])
    #expect(parked.allSatisfy { $0.headers["x-workq-attempts"] as? Int == 2 })
    #expect(result.error.contains("1 done, 2 scheduled for retry, 2 parked"), "\(result.error)")
  }

  @Test(arguments: [0, 1])
  func `result lines settle single tasks regardless of the exit status`(status: Int) throws {
    try publish(["a", "b", "c", "d"], to: queue)
    let script =
      "[ $WORKQ_BATCH = 4 ] && { echo '#2 65 no picture' >&3; echo '#4 0' >&3; echo '#1 75 retry-in=37s' >&3; }; "
      + "[ $WORKQ_BATCH = 1 ] || exit \(status)"
    let result = try batch(of: 4, script: script).run()
    #expect(result.status == 1)
    #expect(
      result.error.contains("[2] b: attempt 1 of 5 failed: no picture (exit status 65)"), "\(result.error)")
    #expect(result.error.contains("[3] c: done"), "\(result.error)")
    #expect(result.error.contains("2 done, 1 scheduled for retry, 1 parked"), "\(result.error)")
  }

  @Test(arguments: ["#5 0", "#0 0", "hello", "#1 0\\n#1 0"])
  func `an invalid result line fails the first unsettled task; the others run again`(line: String) throws {
    try publish(["a", "b", "c", "d"], to: queue)
    let script = "[ $WORKQ_BATCH = 4 ] && { printf '\(line)\\n' >&3; sleep 600; }; exit 0"
    let result = try batch(of: 4, script: script).run()
    #expect(result.status == 1)
    #expect(result.error.contains("failed: no result on descriptor 3: '"), "\(result.error)")
    #expect(result.error.contains("3 done, 1 parked"), "\(result.error)")
  }

  @Test func `a batch starts when it is full, after --batch-wait, or when the queue is drained`() throws {
    let work = worker(queue, ["--batch", "3", "--batch-wait", "1s"], script: "echo $WORKQ_BATCH")
    let running = try work.start()
    try running.waitForError("waiting for tasks")
    try publish(["a"], to: queue)
    try running.waitForOutput("1", within: 30)
    try publish(["a", "b", "c"], to: queue)
    try running.waitForOutput("3", within: 30)
    running.signal(SIGTERM)
    try expect(running.end().status, equals: 0)
    let long = try worker(
      queue, ["--batch", "3", "--batch-wait", "1h", "--drain"], script: "echo $WORKQ_BATCH"
    ).start()
    try publish(["a", "b", "c", "d"], to: queue)
    try expect(long.end(within: 60).status, equals: 0)
  }

  @Test func `a signal requeues the incomplete batch and lets the running batch finish`() throws {
    let (gate, options) = ("/tmp/\(queue)-gate", ["--batch", "3", "--batch-wait", "1h", "--prefetch", "20"])
    defer { try? FileManager.default.removeItem(atPath: gate) }
    let script = "echo run; until [ -e '\(gate)' ]; do sleep 0.05; done"
    let running = try worker(queue, options, script: script).start()
    try publish(["a", "b", "c", "d", "e"], to: queue)
    try running.waitForOutput("run")
    try waitUntil("all are delivered") { try waiting(in: queue) == 0 }
    running.signal(SIGTERM)
    try waitUntil("two are requeued") { try waiting(in: queue) == 2 }
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    let result = try running.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("3 done, 2 requeued"), "\(result.error)")
  }

  @Test func `runs the incomplete batch at --max-time, and on a signal with --no-ack`() throws {
    try publish(["a", "b", "c"], to: queue)
    let options = ["--batch", "10", "--batch-wait", "1h"]
    let timed = try worker(queue, options + ["--max-time", "2s"], script: "cat | xargs").run()
    #expect(timed.output == "a b c\n")
    #expect(timed.error.contains("3 done"), "\(timed.error)")
    let running = try worker(queue, options + ["--no-ack"], script: "cat | xargs").start()
    // A worker that is stopped before it consumes does not run tasks that were delivered without acks.
    try running.waitForError("waiting for tasks")
    try publish(["d", "e", "f"], to: queue)
    try waitUntil("all are delivered") { try waiting(in: queue) == 0 }
    running.signal(SIGTERM)
    let result = try running.end()
    #expect(result.output == "d e f\n")
    #expect(result.error.contains("3 done"), "\(result.error)")
  }

  @Test func `--count limits the started tasks, and its last batch does not wait for --batch-wait`() throws {
    try publish((1...20).map { "\($0)" }, to: queue)
    let options = ["--batch", "10", "--batch-wait", "1h", "--count", "7"]
    let result = try worker(queue, options, script: "cat | xargs").run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.outputLines == ["1 2 3 4 5 6 7"])
    try expectWaiting(in: queue, equals: 13)
  }

  @Test func `--timeout applies to the whole batch, which is then bisected`() throws {
    try publish(["a", "slow", "c", "d"], to: queue)
    let script = "if grep -q slow; then trap '' TERM; sleep 600; fi"
    let result = try batch(of: 4, ["--timeout", "1s", "--kill-after", "200ms"], script: script).run()
    #expect(result.status == 1)
    #expect(
      result.error.contains("[2] slow: attempt 1 of 5 failed: timed out after 1 s, after "), "\(result.error)"
    )
    #expect(result.error.contains("3 done, 1 parked"), "\(result.error)")
  }

  @Test
  func `--argument passes bodies as arguments, splits long lists and parks unusable bodies`() throws {
    try publish(["it's", "two words"], to: queue)
    for body in [[0x61, 0], [0xff], Array("two\nlines".utf8)] {
      try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    }
    let arguments = [
      "work", "-q", queue, "--batch", "9", "--drain", "--argument", "--quiet", "--", "printf", "<%s>\n",
    ]
    let result = try Program.workq(arguments).run()
    #expect(result.status == 1)
    #expect(Set(result.outputLines) == ["<it's>", "<two words>", "<two", "lines>"])
    try expectWaiting(in: "\(queue).failed", equals: 2)
    let large = freshQueue("batch")
    try publish((1...40).map { _ in String(repeating: "x", count: 120_000) }, to: large)
    let many = [
      "work", "-q", large, "--batch", "40", "--drain", "--argument", "--", "sh", "-c", "echo $#", "sh",
    ]
    let halved = try Program.workq(many).run()
    #expect(halved.status == 0, "\(halved.error)")
    #expect(halved.outputLines.compactMap { Int($0) }.reduce(0, +) == 40)
    #expect(halved.outputLines.count > 1)
  }

  @Test(arguments: ["lines", "null", "jsonl"])
  func `a body that contains the delimiter runs alone and unmodified`(format: String) throws {
    for body in [Array("a".utf8), Array("two\nlines".utf8), [0x78, 0, 0x79], Array("b".utf8)] {
      try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    }
    let result = try batch(of: 4, ["--batch-format", format], script: "echo $WORKQ_BATCH:; cat -v; echo")
      .run()
    #expect(result.status == 0, "\(result.error)")
    switch format {
    case "lines": #expect(result.output == "1:\ntwo\nlines\n3:\na\nx^@y\nb\n\n")
    case "null": #expect(result.output == "1:\nx^@y\n3:\na^@two\nlines^@b^@\n")
    default: #expect(result.output.ranges(of: "\"body\":").count == 4)
    }
  }

  @Test func `batches run in parallel, and exit status 127 stops the worker`() throws {
    try publish((1...8).map { "\($0)" }, to: queue)
    let meeting = "/tmp/\(queue)-meeting"
    try FileManager.default.createDirectory(atPath: meeting, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: meeting) }
    let script = "cd '\(meeting)'; : > $$; until [ $(ls | wc -l) = 4 ]; do sleep 0.05; done"
    try expect(batch(of: 8, ["--batch", "2", "-j", "4"], script: script).run().status, equals: 0)
    try publish(["a", "b", "c"], to: queue)
    let result = try batch(of: 3, script: "exit 127").run()
    #expect(result.status == 78)
    try expectWaiting(in: queue, equals: 3)
  }

  @Test(arguments: [
    (["--batch", "5"], "--batch needs a command"),
    (["--batch", "5", "-I", "--", "true"], "exclude each other"),
    (["--batch", "5", "--shell"], "exclude each other"),
    (["--batch", "5", "--resident", "--", "true"], "exclude each other"),
    (["--batch-wait", "1s", "--", "true"], "--batch-wait needs --batch"),
    (["--batch-format", "null", "--", "true"], "--batch-format needs --batch"),
    (["--batch", "0", "--", "true"], "invalid number"),
    (["--batch", "5", "--prefetch", "4", "--", "true"], "no batch has 5 tasks"),
    (["--batch", "5", "--window", "4", "--", "true"], "--window needs --resident"),
  ])
  func `invalid options and combinations are usage errors`(options: [String], message: String) throws {
    let result = try Program.workq(["work", "-q", "q"] + options).run()
    #expect(result.status == 64)
    #expect(result.error.contains(message), "\(result.error)")
  }
}
