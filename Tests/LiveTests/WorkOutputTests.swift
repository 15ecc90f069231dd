import Foundation
import TestSupport
import Testing

/// A command's output, which is passed through in order, the recorded end of stderr, and the status line.
@Suite(.waiting) struct WorkOutputTests {
  private let queue = freshQueue("output")

  private func program(_ options: [String] = [], script: String) -> Program {
    worker(queue, ["--count", "1", "--on-failure", "park"] + options, script: script)
  }

  /// The stderr that is recorded with the parked task.
  private func keptError() throws -> String? {
    try SeenMessage.take(from: "\(queue).failed")?.headers["x-workq-stderr"] as? String
  }

  /// Writes alternately to stdout and stderr, then fails.
  private static let turns = "for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done; exit 3"
  private static let turnsInOrder = (1...9).map { "o\($0)\ne\($0)\n" }.joined()

  @Test func `passes output through unmodified and records the last kilobyte of stderr`() throws {
    try publish(["a"], to: queue)
    let result = try program(script: "echo out; printf '\\377\\0'; seq 1 40000 >&2; exit 3").run()
    #expect(result.outputBytes == Array("out\n".utf8) + [0xff, 0])
    let written = (1...40_000).map { "\($0)\n" }.joined()
    #expect(result.error.hasPrefix(written + "workq: [1] a: attempt 1 of 5 failed: exit status 3, "))
    try expect(keptError(), equals: String(written.suffix(1024)))
  }

  @Test func `keeps the order of stdout and stderr in one file and records the end of both`() throws {
    try publish(["a"], to: queue)
    let work = program(["--quiet"], script: Self.turns)
    var shell = Program("/bin/sh", ["-c", "exec \"$0\" \"$@\" 2>&1", work.path] + work.arguments)
    shell.environment = work.environment
    let result = try shell.run()
    #expect(result.output.hasPrefix(Self.turnsInOrder), "\(result.output)")
    try expect(keptError(), equals: Self.turnsInOrder)
  }

  @Test func `gives the command a terminal of the same size and keeps the order of its output`() throws {
    try publish(["a"], to: queue)
    let script = "[ -t 1 ] && [ -t 2 ] && stty size <&2; \(Self.turns)"
    let work = program(["--quiet"], script: script)
    let line = ([work.path] + work.arguments).map { "'\($0.replacing("'", with: #"'\''"#))'" }
    var shell = Program("/bin/sh", ["-c", "stty rows 33 cols 77; " + line.joined(separator: " ")])
    shell.environment = work.environment
    let result = try shell.inTerminal().run()
    let order = Self.turnsInOrder.replacing("\n", with: "\r\n")
    #expect(result.output.hasPrefix("33 77\r\n\(order)"), "\(result.output)")
    try expect(keptError(), equals: "33 77\n\(Self.turnsInOrder)")
  }

  @Test(arguments: [["--resident=lines"], ["--batch", "2"], ["-j", "2", "--output", "passthrough"]])
  func `passes stderr through in all modes and records it for a failed task`(options: [String]) throws {
    try publish(["a"], to: queue)
    let result = try program(options, script: "read x; echo oops >&2; exit 3").run()
    #expect(result.error.hasPrefix("oops\n") || result.error.hasSuffix("oops\n"), "\(result.error)")
    // When a resident command exits before its first result, no task has failed.
    if options[0] != "--resident=lines" { try expect(keptError(), equals: "oops\n") }
  }

  @Test func `does not wait for a background process that keeps stderr open`() throws {
    try publish(["a"], to: queue)
    // A process that has not left the command's process group is killed with it.
    let script = """
      setsid sleep 600 </dev/null >/dev/null 3>&- &
      until [ "$(ps -o sid= -p $! | tr -d ' ')" = $! ]; do :; done
      echo $! >&2; exit 3
      """
    let result = try program(script: script).run()
    #expect(result.status == 1)
    let pid = try #require(try keptError().flatMap { Int32($0.dropLast()) })
    #expect(isAlive("\(pid)"))
    kill(pid, SIGKILL)
  }

  @Test(arguments: ["passthrough", "tagged", "grouped"])
  func `keeps the connection while the reader of the command's stderr is blocked`(mode: String) throws {
    try publish(["a"], to: queue)
    let gate = FileManager.default.temporaryDirectory.appending(path: "workq-gate-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: gate) }
    let script = "yes xxxxxxxxx | head -c 1000000 >&2; exit 3"
    let work = program(["--heartbeat", "1s", "--output", mode], script: script)
    let quoted = ([work.path] + work.arguments).map { "'\($0.replacing("'", with: #"'\''"#))'" }
    let reader = "{ until [ -e '\(gate)' ]; do sleep 0.1; done; cat; }"
    var shell = Program(
      "/bin/sh", ["-c", "\(quoted.joined(separator: " ")) 2>&1 >/dev/null | \(reader)"])
    shell.environment = work.environment
    let running = try shell.start()
    // Two heartbeats longer than the broker waits.
    let start = Date.now
    try waitUntil("the broker would have closed the connection") { Date.now.timeIntervalSince(start) > 5 }
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    let result = try running.end()
    #expect(result.output.count { $0 == "x" } >= 900_000)
    #expect(!result.output.contains("connection lost"), "\(result.output.suffix(500))")
    try expect(keptError(), equals: "xxx\n" + String(repeating: "xxxxxxxxx\n", count: 102))
  }

  // MARK: Status line at a terminal

  @Test(arguments: [80, 50]) func `shows the progress in one line at a terminal`(columns: Int) throws {
    try publish((1...40).map { "task \($0)" }, to: queue)
    let terminal = try Tmux(columns: columns, rows: 24)
    let options = "-q \(queue) --drain -j 2 --on-failure park"
    try terminal.type(
      "$WORKQ work \(options) -- sh -c 'read -r a n; sleep 0.2; [ $n != 3 ]'; echo ended with $?")
    try terminal.waitFor("a line with counts and a time") { screen in
      screen.split(separator: "\n").contains {
        $0.wholeMatch(of: /\d+ done, 1 failed, .*\d+ waiting, .*\d+ s left/) != nil
      }
    }
    // The result of each task is printed above the status line.
    try terminal.waitFor("the exit status", within: 60) { $0.contains("ended with 1") }
    let lines = try terminal.screen().split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("workq: [40] task 40: done in ") }, "\(lines)")
    #expect(!lines.contains { $0.contains("running") || $0.contains(" left") }, "\(lines)")
  }

  @Test func `clears the status line when the terminal becomes narrower and at Ctrl-C`() throws {
    try publish((1...4).map { "\($0)" }, to: queue)
    let terminal = try Tmux(columns: 80, rows: 10)
    try terminal.type("$WORKQ work -q \(queue) -v --prefetch 4 -- sh -c 'exec sleep 600'")
    try terminal.waitFor("the status line") { $0.contains("0 done, 1 running, 3 waiting") }
    try terminal.resize(columns: 20, rows: 10)
    try terminal.waitFor("a shorter status line") { $0.contains("0 done, 3 waiting\n") }
    #expect(try !terminal.screen().contains("running"))
    try terminal.resize(columns: 80, rows: 10)
    try terminal.press("C-c")
    try terminal.waitFor("the shutdown message") { $0.contains("finishing 1 running task;") }
    try terminal.press("C-c")
    try terminal.waitForPrompt()
    let screen = try terminal.screen()
    #expect(screen.contains("workq: stopped now: running tasks (1) are requeued\n"), "\(screen)")
    #expect(screen.contains("workq: [1] 1: stopped after "), "\(screen)")
    #expect(!screen.contains("0 done, "), "\(screen)")
  }

  @Test func `shows no status line with --quiet, --log json, --fake or redirected stderr`() throws {
    for options in ["--quiet", "--log json", "2>/dev/null"] {
      try publish(["a"], to: queue)
      let line = "'\(TestEnvironment.binary)' work -q \(queue) --drain \(options) -- sh -c 'sleep 1'"
      let script = options.hasPrefix("2>") ? line.replacing(" 2>/dev/null", with: "") + " 2>/dev/null" : line
      var shell = Program("/bin/sh", ["-c", script])
      shell.environment["TERM"] = "xterm"
      let result = try shell.inTerminal().run()
      #expect(!result.output.contains("1 running"), "\(options): \(result.output)")
      #expect(!result.output.contains("\u{1b}"), "\(options): \(result.output)")
    }
    try publish(["."], to: queue)
    var fake = Program.workq("work", "-q", queue, "--drain", "--fake")
    fake.environment["TERM"] = "xterm"
    try expect(
      fake.inTerminal().run().output,
      equals: " [*] Waiting for messages. To exit press CTRL+C\r\n [x] Received '.'\r\n [x] Done\r\n")
  }
}
