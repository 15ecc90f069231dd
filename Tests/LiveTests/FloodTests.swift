import Foundation
import TestSupport
import Testing

/// Timeouts, heartbeats and signals are on time during a flood.
///
/// WORKQ_TEST_FLOOD_SECONDS sets the duration of each flood. Without it the tests are skipped: they use all
/// processors, and their time limits need an otherwise idle machine.
@Suite(.alone, .enabled(if: Flood.seconds > 0, "WORKQ_TEST_FLOOD_SECONDS is not set"))
struct FloodTests {
  private let queue = freshQueue("flood")

  /// SIGTERM ends the process group, and the worker checks its timers in each iteration of its loop.
  ///
  /// The time beyond 2 s is the wait for a processor on a busy machine.
  private static let timeout = 2.0...6.0
  /// The worker reads all deliveries before cancel-ok: with --no-ack, all that the socket buffers hold.
  private static let firstSignal = 10.0
  /// The numbers of SIGTERMs; a long flood sends one only, and prints its measurements.
  private static let signals = Flood.seconds > 10 ? [1] : [1, 2]
  /// The time limit after a second signal: 1 s for commands, 0.4 s for the broker, and a margin.
  private static let secondSignal = 2.0

  private func work(_ options: [String], connections: Int = 2, script: String) throws -> Flood {
    let arguments = ["work", "-q", queue, "--log", "json"] + options + ["--", "bash", "-c", script]
    return try Flood(arguments, connections: connections)
  }

  private func expectConnections(of flood: Flood, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(flood.lostConnections == [], sourceLocation: sourceLocation)
    #expect(flood.furtherConnections == 0, sourceLocation: sourceLocation)
  }

  /// Expects that a worker stops in time after the first or the second signal.
  private func expectEnd(
    of flood: Flood, signals: Int, within limit: Double, _ what: String, _ more: () -> String = { "" },
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let heeded = try flood.stop()
    #expect(heeded < Self.firstSignal, sourceLocation: sourceLocation)
    let end = signals == 1 ? try flood.end() : try flood.stopNow()
    // Running tasks may have finished before the second signal.
    let hasFinished = flood.events.contains(#""event":"stopped""#)
    let expected: Int32 = signals == 1 || hasFinished ? 0 : 143
    #expect(
      end.status == expected, "\(flood.events.suffix(500))", sourceLocation: sourceLocation)
    #expect(end.seconds < (signals == 1 ? limit : Self.secondSignal), sourceLocation: sourceLocation)
    let times = String(
      format: "first TERM heeded after %.2f s, end %.2f s after TERM %d", heeded, end.seconds, signals)
    flood.note(what, "\(times) \(more())")
  }

  // MARK: Output

  /// One of four tasks writes nothing and hangs; the others write to stdout and stderr endlessly.
  ///
  /// Grouped output is limited, because files hold it until the task ends.
  @Test(arguments: ["tagged", "passthrough", "grouped"], signals)
  func `a flood of output delays no timeout, heartbeat or signal`(mode: String, signals: Int) throws {
    let tasks = Int(Flood.seconds * 4)  // twice as many as can time out
    try publish((0..<max(16, tasks)).map { "\($0)" }, to: queue)
    let size = mode == "grouped" ? " | head -c 50000000" : ""
    let (out, error) = (Flood.endless("yes \(mode) output\(size)"), Flood.endless("yes \(mode) error\(size)"))
    let script =
      "read t; if [ $((t % 4)) = 0 ]; then exec sleep 600; fi; \(out) & \(error) >&2 & exec sleep 600"
    let options = ["-j", "4", "--output", mode, "--timeout", "2s", "--on-failure", "park"]
    let flood = try work(options, script: script)
    try flood.last()
    try waitUntil("a task has timed out") { flood.timeouts.count >= 4 }
    expectConnections(of: flood)
    // Running tasks have up to 2 s left.
    try expectEnd(of: flood, signals: signals, within: 10, "output, \(mode)") {
      "\((flood.bytes ?? 0) / 1_000_000) MB"
    }
    #expect(try Self.timeout.contains(#require(flood.timeouts.min())))
    #expect(try Self.timeout.contains(#require(flood.timeouts.max())))
  }

  // MARK: Deliveries

  /// Publishes more tasks than a worker can process.
  private func publisher() throws -> Flood {
    try Flood(
      ["publish", "--lines", "--transient", "--no-confirm", "-q", queue], connections: 1,
      input: "< <(exec yes . | exec head -n \(Int(Flood.seconds * 25_000)))")
  }

  @Test(arguments: [
    ["--fake", "--dot", "0s", "--prefetch", "5000"],
    ["--fake", "--dot", "0s", "--no-ack"],
    ["--batch", "500", "--prefetch", "5000"],
    ["--resident=lines", "--window", "5000"],
    ["--resident=lines", "--window", "5000", "--no-ack"],
  ])
  func `a flood of deliveries delays no heartbeat or signal and uses under 100 MB`(options: [String]) throws {
    let publisher = try publisher()
    try waitUntil("tasks are waiting") { try exists(queue) && waiting(in: queue) > 10_000 }
    let script = options[0] == "--batch" ? "cat >/dev/null" : "while read -r x; do echo 0; done >&3"
    let flood =
      options[0] == "--fake"
      ? try Flood(["work", "-q", queue, "--log", "json"] + options, connections: 1)
      : try work(["--timeout", "20s"] + options, connections: 1, script: script)
    try flood.last()
    let memory = try #require(flood.peakMemory)
    #expect(memory < 100_000)
    expectConnections(of: flood)
    // With --no-ack the worker must still complete all received tasks.
    try expectEnd(of: flood, signals: 1, within: 10, "deliveries, \(options.joined(separator: " "))") {
      "\(flood.count("done") ?? 0) tasks, \(memory) kB"
    }
    publisher.program.signal(SIGKILL)
  }

  @Test(arguments: signals)
  func `a hanging task times out on time during a flood of deliveries`(signals: Int) throws {
    try floodBesideHangingTask(result: 0, signals: signals, "deliveries and a task that hangs")
  }

  /// Runs a worker with two resident commands: one hangs, the other writes this result for each of its tasks.
  private func floodBesideHangingTask(result: Int, signals: Int, _ what: String) throws {
    let publisher = try publisher()
    defer { publisher.program.signal(SIGKILL) }
    try waitUntil("tasks are waiting") { try exists(queue) && waiting(in: queue) > 10_000 }
    let mark = FileManager.default.temporaryDirectory.appending(path: queue)
    defer { try? FileManager.default.removeItem(at: mark) }
    let script = """
      mkdir '\(mark.path)' 2>/dev/null && exec sleep 600
      while read -r x; do echo \(result); done >&3
      """
    let options = [
      "-j", "2", "--resident=lines", "--window", "1000", "--timeout", "2s", "--on-failure", "park",
    ]
    let flood = try work(options, script: script)
    try flood.last()
    try waitUntil("the task has timed out") { flood.timeouts.count >= 1 }
    expectConnections(of: flood)
    try expectEnd(of: flood, signals: signals, within: 10, what) {
      "\(flood.count("done") ?? 0) done, \(flood.count("parked") ?? 0) parked"
    }
    #expect(try Self.timeout.contains(#require(flood.timeouts.max())))
  }

  // MARK: Confirms

  @Test func `publish exits on time after SIGTERM during a flood of confirms`() throws {
    let flood = try Flood(["publish", "-q", queue, "--lines"], connections: 1, input: "< <(exec yes task)")
    try flood.last()
    expectConnections(of: flood)
    let memory = try #require(flood.peakMemory)
    #expect(memory < 100_000)
    flood.program.signal(SIGTERM)
    let end = try flood.end()
    #expect(end.status == 143, "\(flood.events)")
    #expect(end.seconds < Self.firstSignal)
    let tasks = try waiting(in: queue)
    flood.note("confirms, publish", String(format: "end %.2f s after TERM, %d tasks", end.seconds, tasks))
  }

  /// The worker publishes a copy of each failed task, and the broker confirms it.
  @Test(arguments: signals)
  func `a flood of confirms delays no timeout, heartbeat or signal of the worker`(signals: Int) throws {
    try floodBesideHangingTask(result: 1, signals: signals, "confirms of copies")
  }

  // MARK: Exiting children

  /// The first task hangs; the others exit at once.
  @Test(arguments: signals)
  func `a flood of exiting children delays no timeout, heartbeat or signal`(signals: Int) throws {
    try publish((0...Int(Flood.seconds * 5000)).map { "\($0)" }, to: queue)
    let flood = try Flood(
      [
        "work", "-q", queue, "--log", "json", "-j", "8", "--timeout", "2s", "--on-failure", "park",
        "--argument", "--",
        "/bin/sh", "-c", "[ $0 != 0 ] || exec sleep 600",
      ], connections: 2)
    try flood.last()
    try waitUntil("the task has timed out") { flood.timeouts.count >= 1 }
    expectConnections(of: flood)
    try expectEnd(of: flood, signals: signals, within: 5, "ended children") {
      "\(flood.count("done") ?? 0) done"
    }
    #expect(try Self.timeout.contains(#require(flood.timeouts.max())))
  }
}
