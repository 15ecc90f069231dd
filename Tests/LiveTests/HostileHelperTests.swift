import Foundation
import TestSupport
import Testing

/// Resident commands that violate the protocol: none loses a task, hangs the worker or exhausts its memory.
@Suite(.waiting) struct HostileHelperTests {
  private let queue = freshQueue("hostile-helper")

  private func run(_ options: [String] = [], script: String) throws -> Program.Result {
    let common = ["--resident=lines", "--drain", "--on-failure", "park", "--kill-after", "500ms"]
    return try worker(queue, common + options, script: script).run()
  }

  @Test func `the worker waits for the rest of a result line that arrives in two parts`() throws {
    try publish(["a", "b"], to: queue)
    let result = try run(script: "while read x; do printf '#' >&3; sleep 0.3; printf \"$x 0\\n\" >&3; done")
    #expect(result.status == 1, "the numbers are none")
    #expect(result.error.contains("no result on descriptor 3: '#a 0'"), "\(result.error)")
    try expectWaiting(in: "\(queue).failed", equals: 2)
  }

  @Test func `the worker ignores an incomplete result line when the command exits`() throws {
    try publish(["a", "b"], to: queue)
    let script = "read x; echo 0 >&3; read x; printf 0 >&3; exit 0"
    let result = try run(["--window", "2"], script: script)
    #expect(
      result.error.contains("[2] b: attempt 1 of 5 failed: ended without a result: exit status 0"),
      "\(result.error)")
  }

  @Test(arguments: [
    "echo '#1 0' >&3; echo '#1 0' >&3", "echo 0 >&3; echo '#99 0' >&3", "echo 0 >&3; echo hello >&3",
  ])
  func `the worker replaces a command that writes an extra line, an unknown id or garbage`(lines: String)
    throws
  {
    try publish(["a", "b", "c"], to: queue)
    let script = "read x; read y; \(lines); sleep 600"
    let good = "while read x; do echo 0 >&3; done"
    let result = try run(
      ["--window", "3"], script: "mkdir '/tmp/\(queue)' 2>/dev/null && { \(script); }; \(good)")
    try FileManager.default.removeItem(atPath: "/tmp/\(queue)")
    #expect(result.status == 1)
    #expect(result.error.contains("[1] a: done"), "\(result.error)")
    #expect(
      result.error.contains("[2] b: attempt 1 of 5 failed: no result on descriptor 3: '"), "\(result.error)")
    #expect(result.error.contains("2 done, 1 parked"), "\(result.error)")
  }

  @Test(arguments: ["yes | tr -d '\\n' >&3", "yes >&3", "trap '' TERM; yes hello >&3; sleep 600"])
  func `endless garbage fails one task per command and does not exhaust memory`(script: String) throws {
    try publish(["a", "b"], to: queue)
    let result = try limited("ulimit -v 400000", ["--timeout", "20s"], script: "read x; \(script)")
    #expect(result.status == 1, "\(result.error)")
    #expect(result.error.contains("2 parked"), "\(result.error)")
    #expect(
      result.error.contains("on descriptor 3: 'y") || result.error.contains("'hello'"), "\(result.error)")
  }

  @Test
  func `a command that reads nothing while large tasks arrive delays no timeout or heartbeat`() throws {
    for _ in 0..<6 {
      let body = [UInt8](repeating: 65, count: 20 << 20)
      try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    }
    let options = [
      "-j", "2", "--window", "3", "--timeout", "2s", "--heartbeat", "1s", "--output", "passthrough",
    ]
    let result = try run(options, script: "exec sleep 600")
    #expect(result.status == 1)
    #expect(result.error.contains("6 parked"), "\(result.error)")
    #expect(!result.error.contains("connection lost"), "\(result.error)")
  }

  @Test func `a resident command receives large tasks completely`() throws {
    let body = Array(String(repeating: "0123456789", count: 2 << 20).utf8)
    for _ in 0..<4 { try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0) }
    let script = "import os, sys\nfor line in sys.stdin:\n  print(len(line)); os.write(3, b'0\\n')"
    let arguments = [
      "work", "-q", queue, "--resident=lines", "--window", "4", "--drain", "--", "python3", "-c", script,
    ]
    let result = try Program.workq(arguments).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.outputLines == [String](repeating: "\(body.count + 1)", count: 4))
  }

  @Test func `the worker replaces a command that exits, and kills the processes that it started`() throws {
    try publish(["a", "b"], to: queue)
    let result = try run(script: "read x; sleep 600 & echo $!; echo 0 >&3; exit 0")
    #expect(result.status == 0, "\(result.error)")
    for pid in result.outputLines { try waitUntil("\(pid) is gone") { !isAlive(pid) } }
    #expect(result.outputLines.count == 2)
  }

  @Test func `the worker completes all tasks when each command closes its stdin after the first`() throws {
    try publish(["a", "b", "c"], to: queue)
    let script = "read x; exec 0<&-; sleep 0.3; echo 0 >&3; exec sleep 600"
    let result = try run(["--window", "2", "--timeout", "20s"], script: script)
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("3 done"), "\(result.error)")
  }

  /// A worker under a resource limit that the shell sets.
  private func limited(_ limit: String, _ options: [String], script: String) throws -> Program.Result {
    let arguments = [
      "work", "-q", "\"$1\"", "--resident=lines", "--drain", "--on-failure", "park", "--kill-after", "500ms",
    ]
    let line = "\(limit); exec \"$0\" \((arguments + options).joined(separator: " ")) -- sh -c \"$2\""
    return try shell(line, queue, script).run()
  }
}
