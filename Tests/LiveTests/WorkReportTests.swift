import Foundation
import TestSupport
import Testing

@Suite(.waiting) struct WorkReportTests {
  private func queue(_ tasks: [String]) throws -> String {
    let queue = freshQueue()
    let publish = Program.workq("publish", "-q", queue, "--lines")
    try expect(publish.run(input: Array(tasks.map { "\($0)\n" }.joined().utf8)).status, equals: 0)
    return queue
  }

  private func work(_ queue: String, _ options: [String], _ script: String) -> Program {
    Program.workq(["work", "-q", queue] + options + ["--", "sh", "-c", script])
  }

  @Test func `begins each message with the time when --timestamps is given`() throws {
    let result = try work(queue(["a"]), ["--drain", "--timestamps"], "exit 0").run()
    let lines = result.error.split(separator: "\n")
    #expect(!lines.isEmpty)
    for line in lines {
      #expect(line.firstMatch(of: #/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ workq: /#) != nil, "\(line)")
    }
  }

  @Test func `prints the worker's state and continues on SIGUSR1`() throws {
    let queue = try queue(["a"])
    let worker = try work(queue, ["-v", "--drain"], "exec sleep 2").start()
    try worker.waitForStart(of: 1)
    worker.signal(SIGUSR1)
    try worker.waitForError("consuming '\(queue)' for ")
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error.contains(": 1 running, 0 done\n"), "\(result.error)")
  }

  @Test func `reports the failed tasks grouped by reason with --quiet`() throws {
    let queue = try queue(["2", "2", "3", "0"])
    let options = ["--drain", "--on-failure", "park", "--quiet"]
    let result = try work(queue, options, "read t; exit $t").run()
    #expect(result.status == 1)
    let failed = "3 tasks failed: exit status 2 (2), exit status 3 (1); 3 parked in '\(queue).failed'"
    #expect(result.error == "workq: \(failed)\n")
  }

  @Test func `reports failed tasks at exit when a signal stops the worker, with --quiet`() throws {
    let queue = try queue(["2"])
    let worker = try work(queue, ["--on-failure", "park", "--quiet"], "read t; exit $t").start()
    try waitUntil("the task is parked") {
      try Program.workq("status", queue, "--max-failed", "0").run().status == 75
    }
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error == "workq: 1 task failed: exit status 2 (1)\n")
  }

  @Test func `exits with 1 when a task is scheduled for retry and --fail-on-retry is given`() throws {
    let queue = try queue(["a"])
    let result = try work(queue, ["--drain", "--fail-on-retry"], "exit 1").run()
    #expect(result.status == 1)
    #expect(result.error.hasSuffix("workq: tasks failed: 1 scheduled for retry\n"), "\(result.error)")
    try expect(work(try self.queue(["b"]), ["--drain"], "exit 1").run().status, equals: 0)
  }

  @Test func `waits for scheduled retries when --wait-for-retries is given`() throws {
    let queue = try queue(["a"])
    let options = ["--drain", "--wait-for-retries", "--fail-on-retry", "--retry-delay", "1s"]
    let result = try work(queue, options, "[ $WORKQ_ATTEMPT = 3 ]").run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("1 done"), "\(result.error)")
  }

  @Test(
    arguments: [
      (["--wait-for-retries"], "add --drain"), (["--fail-on-retry"], "add --drain, --count"),
    ])
  func `refuses options for retries in an unbounded run`(options: [String], advice: String) throws {
    let result = try work("unused", options, "exit 0").run()
    #expect(result.status == 64)
    #expect(result.error.contains(advice))
  }
}
