import Foundation
import TestSupport
import Testing

/// Results on descriptor 3 from a command that runs once for each task.
@Suite(.waiting) struct WorkResultTests {
  /// The headers of the parked tasks, by their bodies.
  private func parked(_ queue: String) throws -> [String: [String: Any]] {
    let result = try Program.workq("peek", "--json", "-c", "100", "\(queue).failed").run()
    return try result.outputLines.reduce(into: [:]) { parked, line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      parked[object?["body"] as? String ?? ""] = object?["headers"] as? [String: Any]
    }
  }

  @Test func `a line on descriptor 3 overrides the exit status`() throws {
    let queue = freshQueue()
    try publish(["good", "bad"], to: queue)
    let script =
      "read x; case $x in good) echo 0 >&3; exit 9;; *) echo '65 not a picture' >&$WORKQ_RESULT_FD;; esac"
    let result = try worker(queue, ["--count", "2"], script: script).run()
    #expect(result.status == 1)
    #expect(result.error.contains("[1] good: done in "), "\(result.error)")
    #expect(
      result.error.contains("[2] bad: attempt 1 of 5 failed: not a picture (exit status 65), after "),
      "\(result.error)")
    #expect(result.error.contains("1 task failed: not a picture (1); 1 parked in"), "\(result.error)")
    let headers = try #require(try parked(queue)["bad"])
    #expect(headers["x-workq-reason"] as? String == "not a picture")
    #expect(headers["x-workq-exit-status"] as? Int == 65)
    let failed = try Program.workq("failed", queue).run()
    #expect(failed.output.contains("not a picture"), "\(failed.output)")
  }

  @Test func `the exit status is the result when the command closes descriptor 3`() throws {
    let queue = freshQueue()
    try publish(["a", "b"], to: queue)
    let script = "exec 3>&-; read x; [ $x = a ]"
    let result = try worker(queue, ["--count", "2", "--on-failure", "park"], script: script).run()
    #expect(result.status == 1)
    #expect(result.error.contains("[2] b: attempt 1 of 5 failed: exit status 1, "), "\(result.error)")
  }

  @Test func `rounds retry-in up to the next delay of the retry schedule`() throws {
    let queue = freshQueue()
    try publish(["busy"], to: queue)
    let result = try worker(queue, ["--count", "1"], script: "echo 75 retry-in=37s slow down >&3").run()
    #expect(result.status == 0)
    #expect(
      result.error.contains("[1] busy: attempt 1 of 5 failed: slow down (exit status 75), after "),
      "\(result.error)")
    #expect(result.error.contains("; retry in 40 s"), "\(result.error)")
    try expectWaiting(in: retryQueue(of: queue, after: .seconds(40)), equals: 1)
  }

  @Test func `a signal or a timeout overrides a result line`() throws {
    let queue = freshQueue()
    try publish(["signal", "timeout"], to: queue)
    let script = "read x; echo 0 >&3; if [ $x = signal ]; then kill -KILL $$; fi; exec sleep 600"
    let options = ["--count", "2", "--timeout", "300ms", "--on-failure", "park"]
    let result = try worker(queue, options, script: script).run()
    #expect(result.status == 1)
    #expect(
      result.error.contains("[1] signal: attempt 1 of 5 failed: killed by SIGKILL, "), "\(result.error)")
    #expect(
      result.error.contains("[2] timeout: attempt 1 of 5 failed: timed out after 0.3 s, "), "\(result.error)")
  }

  @Test(arguments: [
    ("echo done >&3; sleep 600", "no result on descriptor 3: 'done'"),
    ("echo '#99 0' >&3; sleep 600", "no result on descriptor 3: '#99 0'"),
    ("echo 0 >&3; echo 0 >&3; sleep 600", "no result on descriptor 3: '0'"),
    ("yes x | tr -d '\\n' >&3", "a line of more than 4096 bytes on descriptor 3: 'xxx"),
    ("yes 'no result' >&3", "no result on descriptor 3: 'no result'"),
    ("printf 300 >&3", "no result on descriptor 3: '300'"),
  ])
  func `an invalid result line stops the command and fails the task, quoting the line`(
    script: String, reason: String
  )
    throws
  {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let result = try worker(queue, ["--count", "1", "--on-failure", "park"], script: script).run()
    #expect(result.status == 1)
    #expect(result.error.contains("[1] a: attempt 1 of 5 failed: \(reason)"), "\(result.error)")
    let recorded = try parked(queue)["a"]?["x-workq-reason"] as? String
    #expect(recorded?.hasPrefix(reason) == true, "\(recorded ?? "")")
  }

  @Test func `the last line needs no newline, and an open descriptor 3 does not delay the result`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let script = "setsid sleep 60 & echo $!; printf '7 half a line' >&3"
    let result = try worker(queue, ["--count", "1", "--on-failure", "drop"], script: script).run()
    #expect(result.status == 1)
    #expect(
      result.error.contains("[1] a: attempt 1 of 5 failed: half a line (exit status 7), "), "\(result.error)"
    )
    if let pid = result.outputLines.first.flatMap({ Int32($0) }) { kill(pid, SIGKILL) }
  }

  @Test func `--log json reports the command's reason`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    let result = try worker(queue, ["--count", "1", "--log", "json"], script: "echo 1 no disk >&3").run()
    #expect(result.error.contains(#""error":"no disk","event":"failed","exit_status":1"#), "\(result.error)")
  }

  @Test func `does not pass NOTIFY_SOCKET and WATCHDOG_USEC to the command`() throws {
    let queue = freshQueue()
    try publish(["a"], to: queue)
    var program = worker(
      queue, ["--count", "1"], script: "env | grep -cE '^(NOTIFY_SOCKET|WATCHDOG_)'; true")
    program.environment["NOTIFY_SOCKET"] = "/nonexistent"
    program.environment["WATCHDOG_USEC"] = "1000000"
    try expect(program.run().output, equals: "0\n")
  }

  @Test func `runs more jobs than the soft limit on open files would allow`() throws {
    let queue = freshQueue()
    try publish((1...100).map { "\($0)" }, to: queue)
    let script = "ulimit -S -n 128; exec \"$0\" work -q \"$1\" -j 100 --count 100 --quiet -- sleep 1"
    let result = try shell(script, queue).run()
    #expect(result.status == 0, "\(result.error)")
  }
}
