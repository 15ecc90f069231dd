import Foundation
import TestSupport
import Testing

/// A program that something floods, and when it did what it had to do in time.
///
/// Its connections pass through a proxy, which measures how long neither side sends anything. What a command writes is
/// counted and thrown away, and so are the worker's events that come for each task that succeeds.
final class Flood {
  let program: RunningProgram
  private let proxy: FaultProxy
  private let directory: URL
  /// How many connections the program needs.
  private let connections: Int

  /// How long a flood lasts, in seconds; 0 is none.
  static let seconds = Double(TestEnvironment.count("FLOOD_SECONDS", 0))

  /// Starts `workq` with a heartbeat of a second, and `arguments`.
  ///
  /// - Parameters:
  ///   - arguments: of `workq`, the subcommand first.
  ///   - connections: how many it needs.
  ///   - generator: a redirection of its stdin.
  /// - Throws: when it cannot be started.
  init(_ arguments: [String], connections: Int, input generator: String = "</dev/null") throws {
    self.connections = connections
    proxy = try FaultProxy(to: .shared)
    directory = FileManager.default.temporaryDirectory.appending(path: "workq-flood-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let broker = Broker.shared.with(url: proxy.url(of: .shared))
    // After the subcommand: what follows "--" is the command.
    let workq = Program.workq([arguments[0], "--heartbeat", "1s"] + arguments.dropFirst()).at(broker)
    // The one process whose pid is known must be workq.
    let script = """
      exec "$0" "$@" \(generator) > >(exec wc -c >'\(directory.path)/bytes') \
        2> >(exec grep -aoE --line-buffered '\(Self.wanted)' >'\(directory.path)/events')
      """
    var shell = Program("/bin/bash", ["-c", script, workq.path] + workq.arguments)
    shell.environment = workq.environment
    program = try shell.start()
  }

  deinit {
    program.signal(SIGKILL)
    proxy.stop()
    try? FileManager.default.removeItem(at: directory)
  }

  /// A command that writes without end, and leaves processors to the broker.
  ///
  /// A broker that gets none is silent for two heartbeats, which is a reason to lose it.
  static func endless(_ command: String) -> String { "nice -n 19 \(command)" }

  private static let wanted =
    #"\{[^{}]*"event":"(consuming|disconnected|reconnected|unreachable|publishing_failed|failed|stopping|stopped)"[^{}]*\}|workq: .*"#

  // MARK: Its time

  /// Waits until the flood has lasted long enough.
  func last() throws {
    let start = Date.now
    try waitUntil("the flood has lasted", within: Self.seconds + 60) {
      if !program.isRunning { throw Ended(events: events) }
      return Date.now.timeIntervalSince(start) >= Self.seconds
    }
  }

  private struct Ended: Error {
    let events: String
  }

  /// Sends TERM.
  ///
  /// - Returns: how long it took until the worker reported that it stops, in seconds.
  func stop() throws -> Double {
    let start = Date.now
    program.signal(SIGTERM)
    try waitUntil("it reports the signal (so far: \(events))") {
      let text = events
      return text.contains(#""event":"stopping""#) || text.contains("stopped by SIGTERM")
    }
    return Date.now.timeIntervalSince(start)
  }

  /// Waits for the end.
  ///
  /// - Returns: the exit code, and how long it took from now, in seconds.
  func end() throws -> (status: Int32, seconds: Double) {
    let start = Date.now
    let status = try program.end().status
    return (status, Date.now.timeIntervalSince(start))
  }

  /// Sends TERM once more, and waits for the end.
  func stopNow() throws -> (status: Int32, seconds: Double) {
    program.signal(SIGTERM)
    return try end()
  }

  // MARK: What happened

  /// What went wrong with the connections, in the worker's words, where that is no fault of the broker's or of a busy
  /// machine: whoever is silent for two heartbeats counts as dead.
  var lostConnections: [Substring] {
    guard proxy.longestSilenceOfBroker < 2 else { return [] }
    let bad = ["disconnected", "unreachable", "publishing_failed", "connection lost"]
    return events.split(separator: "\n").filter { line in bad.contains { line.contains($0) } }
  }

  /// How many connections there were beyond those that it needs.
  var furtherConnections: Int {
    proxy.longestSilenceOfBroker < 2 ? max(0, proxy.connections - connections) : 0
  }

  /// How long nothing came from the program, in seconds.
  var longestSilence: Double { proxy.longestSilenceOfProgram }

  /// How long the tasks took that timed out, in seconds.
  var timeouts: [Double] {
    events.matches(of: /"error":"timed out after 2 s"[^{}]*"seconds":([0-9.]+)/).compactMap { Double($0.1) }
  }

  /// The most memory that it has had, in kilobytes.
  var peakMemory: Int? {
    let status = try? String(contentsOfFile: "/proc/\(program.pid)/status", encoding: .utf8)
    return status?.firstMatch(of: /VmHWM:\s+([0-9]+) kB/).flatMap { Int($0.1) }
  }

  /// How many bytes its commands have written to stdout; known when it has ended.
  var bytes: Int? { Int(text("bytes").trimmingCharacters(in: .whitespacesAndNewlines)) }

  /// How many tasks the worker says it has done, or parked, in its last event.
  func count(_ name: String) -> Int? {
    let last = events.split(separator: "\n").last { $0.contains(#""event":"stopped""#) }
    let value = last?.split(separator: "\"\(name)\":").last.map { $0.prefix { $0.isNumber } }
    return value.flatMap { Int($0) }
  }

  var events: String { text("events") }

  private func text(_ name: String) -> String {
    let data = try? Data(contentsOf: directory.appending(path: name))
    return data.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// A line of figures, for Tests/Reliability.md.
  func note(_ what: String, _ more: String = "") {
    let late = timeouts.max().map { String(format: "%.2f s", $0 - 2) } ?? "-"
    let silence = String(format: "%.2f s", longestSilence)
    let broker = String(format: "%.2f s", proxy.longestSilenceOfBroker)
    print(
      "flood: \(what), \(Self.seconds) s: timeouts late by \(late), silent for \(silence) (broker \(broker)) \(more)"
    )
  }
}
