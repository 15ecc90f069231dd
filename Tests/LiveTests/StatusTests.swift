import Foundation
import TestSupport
import Testing

@Suite(.waiting) struct StatusTests {
  private func declare(_ queues: String...) throws {
    try expect(Program.workq(["declare"] + queues).run().status, equals: 0)
  }

  private func publish(_ count: Int, to queue: String) throws {
    let lines = (0..<count).map { "task \($0)\n" }.joined()
    try expect(
      Program.workq("publish", "-q", queue, "--lines").run(input: Array(lines.utf8)).status, equals: 0)
  }

  @Test func `status shows a queue and its existing retry, delay and failed queues`() throws {
    let queue = freshQueue("q")
    let retries = [10, 20, 7].map { retryQueue(of: queue, after: .seconds($0)) }
    let delay = delayQueue(of: queue, by: .milliseconds(1500))
    try declare(queue, "\(queue).failed", "\(queue).retry.10000", delay, "\(queue).delay.1500")
    for name in retries { try declare(name) }
    try publish(3, to: queue)
    try publish(1, to: "\(queue).failed")
    let result = try Program.workq("status", queue).run()
    #expect(result.status == 0)
    let note = "not counted: tasks that are moving from a retry or delay queue to the work queue"
    let unseen = "not counted: tasks that workers hold, retries and delays not named here"
    #expect(result.error == "workq: \(unseen)\nworkq: \(note)\n")
    let cells = result.outputLines.map { $0.split(separator: " ").map(String.init) }
    #expect(
      cells == [
        ["QUEUE", "WAITING", "CONSUMERS"], [queue, "3", "0"], [retries[0], "0", "0"], [retries[1], "0", "0"],
        ["\(queue).retry.10000", "0", "0"], ["\(queue).failed", "1", "0"],
      ])
    let named = try Program.workq(
      "status", queue, "--retry-delay", "7s", "--retry-max-delay", "7s", "--delay", "1500ms"
    ).run()
    #expect(named.output.contains("\(retries[2]) "))
    #expect(named.output.contains("\(delay) "))
    #expect(named.output.contains("\(queue).delay.1500 "))
    #expect(!named.output.contains("10000"))
  }

  @Test(arguments: ["classic", "quorum", "stream"])
  func `status counts waiting tasks and marks none as redelivered`(type: String) throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue, "--type", type).run().status, equals: 0)
    try publish(2, to: queue)
    // Streams and quorum queues update their counts with a delay.
    try waitUntil("status reports two tasks") {
      let result = try Program.workq("status", "--json", queue).run()
      return result.output.contains(#""waiting":2"#)
    }
    if type == "classic" {
      let peek = try Program.workq("peek", queue, "--json").run()
      #expect(peek.output.contains(#""redelivered":false"#))
    }
  }

  @Test func `status --max-failed treats a missing failed queue as empty`() throws {
    let queue = freshQueue()
    try declare(queue)
    let result = try Program.workq("status", queue, "--max-failed", "0").run()
    #expect(result.status == 0)
    #expect(result.error == "")
  }

  @Test func `status exits with 75 and one line when more tasks are parked than --max-failed`() throws {
    let queue = freshQueue()
    try declare(queue, "\(queue).failed")
    try publish(2, to: "\(queue).failed")
    let result = try Program.workq("status", queue, "--max-failed", "1").run()
    #expect(result.status == 75)
    #expect(result.error.hasSuffix("'\(queue).failed' has 2 parked tasks, more than 1\n"))
    #expect(result.error.split(separator: "\n").count == 1)
    #expect(result.output == "")
    try expect(Program.workq("status", queue, "--max-failed", "2").run().status, equals: 0)
  }

  @Test func `status --json prints one line per queue`() throws {
    let queue = freshQueue()
    let retry = retryQueue(of: queue, after: .seconds(10))
    try declare(queue, retry)
    let worker = try Program.workq("work", "--fake", "-q", queue).start()
    try worker.waitForOutput("Waiting")
    let lines = try Program.workq("status", "--json", queue).run().outputLines
    let time = #/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/#
    #expect(
      lines.map { $0.replacing(time, with: "TIME") } == [
        #"{"consumers":1,"exists":true,"queue":"\#(queue)","role":"work",TIME,"waiting":0}"#,
        #"{"consumers":0,"delay_seconds":10,"exists":true,"queue":"\#(retry)","role":"retry",TIME,"waiting":0}"#,
      ])
  }

  @Test func `status exits with 78 for a missing queue and still shows the others`() throws {
    let (queue, missing) = (freshQueue(), freshQueue())
    try declare(queue)
    let result = try Program.workq("status", missing, queue).run()
    #expect(result.status == 78)
    #expect(result.output.contains(queue))
    #expect(result.error.contains("no such queue: '\(missing)'"))
  }

  @Test func `status prints nothing within its limits, and exits with 75 and one line beyond them`() throws {
    let queue = freshQueue()
    try declare(queue, "\(queue).failed")
    try publish(2, to: queue)
    try publish(5, to: "\(queue).failed")
    let fine = try Program.workq("status", "--max-waiting", "2", queue).run()
    #expect(fine.status == 0)
    #expect(fine.output == "")
    #expect(fine.error == "")
    let full = try Program.workq("status", "--max-waiting", "1", "--min-consumers", "1", queue).run()
    #expect(full.status == 75)
    #expect(full.output == "")
    let line =
      "workq: 127.0.0.1:\(Broker.shared.port)/: '\(queue)' has 2 waiting tasks, more than 1; "
      + "'\(queue)' has 0 consumers, fewer than 1\n"
    #expect(full.error == line)
    let json = try Program.workq("status", "--json", "--max-waiting", "1", queue).run()
    #expect(json.status == 75)
    #expect(json.outputLines.count == 2)
    try expect(Program.workq("status", "--max-waiting", "1", freshQueue()).run().status, equals: 78)
  }

  // MARK: --watch

  @Test func `status --watch prints lines without a terminal and exits when its reader exits`() throws {
    let queue = freshQueue()
    try declare(queue)
    let script = "\"$0\" status --watch 100ms \"$1\" | head -n 2"
    let result = try Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).run()
    #expect(result.outputLines.count == 2)
    #expect(result.error == "")
    #expect(result.outputLines[0].contains(#/^\d\d:\d\d:\d\d  /#))
    #expect(result.outputLines[0].contains("\(queue)  0  0  -"))
    #expect(result.outputLines[1].hasSuffix("\(queue)  0  0  0/s"))
    let watch = try Program.workq("status", "--watch", "100ms", "--json", queue).start()
    try watch.waitForOutput(#""change_per_second":0"#)
    watch.signal(SIGTERM)
    let end = try watch.end()
    #expect(end.status == 0)
    #expect(end.error == "")
  }

  @Test func `status --watch redraws in place, fits the terminal's size and restores the screen`() throws {
    let queue = "w-\(UUID().uuidString.prefix(8))"
    try declare(queue, "\(queue).failed")
    try publish(1, to: "\(queue).failed")
    let terminal = try Tmux(columns: 90, rows: 20)
    try terminal.type("echo before; $WORKQ status \(queue) --watch 200ms")
    try terminal.waitFor("the queue") { !$0.contains("has no consumers") && $0.contains("\(queue)  ") }
    var screen = try terminal.screen()
    #expect(screen.hasPrefix("127.0.0.1:\(Broker.shared.port)/  "))
    #expect(screen.contains("Ctrl-C ends"))
    #expect(!screen.contains("before"))
    #expect(screen.contains("1 task is parked: workq peek \(queue).failed"))
    try publish(7, to: queue)
    try terminal.waitFor("7 tasks, their bars and the missing consumer") {
      $0.contains(#/w-\S+ +7 +\+/#) && $0.contains("█") && $0.contains("'\(queue)' has no consumers")
    }
    try expect(terminal.screen().ranges(of: "QUEUE").count, equals: 1)
    try terminal.resize(columns: 40, rows: 6)
    try terminal.waitFor("a narrow table") {
      !$0.contains("█") && $0.contains(queue) && $0.contains("has no")
    }
    try terminal.resize(columns: 100, rows: 30)
    try terminal.waitFor("the wide table again") { $0.contains("█") && $0.contains("Ctrl-C ends") }
    try terminal.press("C-c")
    try terminal.waitForPrompt()
    try terminal.type("echo \"code $?\"")
    try terminal.waitFor("the exit code") { $0.contains("\ncode 0\n") }
    screen = try terminal.screen()
    #expect(!screen.contains("WAITING"))
    #expect(screen.contains("before\n"))
  }

  @Test func `status --watch restores the screen on Ctrl-Z and redraws it after fg`() throws {
    let queue = freshQueue()
    try declare(queue)
    let terminal = try Tmux(columns: 90, rows: 20)
    try terminal.type("set -m; $WORKQ status \(queue) --watch 200ms")
    try terminal.waitFor("the queue") { $0.contains("WAITING") }
    try terminal.press("C-z")
    try terminal.waitForPrompt()
    try terminal.type("fg")
    try terminal.waitFor("the queue again") { $0.contains("WAITING") }
    try terminal.press("C-c")
    try terminal.waitFor("the shell at the end") { !$0.contains("WAITING") }
  }

  @Test(.disposable) func `status --watch reports a lost connection and reconnects to the broker`() throws {
    let (broker, queue) = (try DisposableBroker.get(), freshQueue())
    try expect(Program.workq("declare", queue).at(broker).run().status, equals: 0)
    let terminal = try Tmux(columns: 120, rows: 12, at: broker)
    try terminal.type("$WORKQ status \(queue) --watch 300ms")
    try terminal.waitFor("the queue") { $0.contains("WAITING") }
    try broker.stop()
    try terminal.waitFor("the connection error and the last values") {
      $0.contains("connection lost: ") && $0.contains("connecting again in") && $0.contains(queue)
    }
    try broker.restart()
    try terminal.waitFor("new values") {
      $0.contains("WAITING") && !$0.contains("connection lost")
    }
    try terminal.press("C-c")
    try terminal.waitForPrompt()
    try terminal.type("echo \"code $?\"")
    try terminal.waitFor("the exit code") { $0.contains("\ncode 0\n") }
  }

  @Test func `status --watch exits with 69 when the first connection fails`() throws {
    var program = Program.workq("status", "--watch")
    program.environment["AMQP_URL"] = "amqp://127.0.0.1:1"
    try expect(program.run().status, equals: 69)
  }
}
