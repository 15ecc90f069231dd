import Foundation
import TestSupport
import Testing

/// A program during a flood, and measurements of its timing.
///
/// Its connections pass through a proxy, which measures how long each side is silent. The output of commands
/// is counted and discarded. The worker's events for successful tasks are discarded, too.
final class Flood {
  let program: RunningProgram
  private let proxy: FaultProxy
  private let directory: URL
  /// The number of connections that the program needs.
  private let connections: Int

  /// The duration of a flood in seconds; 0 means none.
  static let seconds = Double(TestEnvironment.count("FLOOD_SECONDS", 0))

  /// Starts `workq` with `arguments` and a heartbeat of 1 s.
  ///
  /// - Parameters:
  ///   - arguments: of `workq`, the subcommand first.
  ///   - connections: the number that it needs.
  ///   - generator: a redirection of its stdin.
  /// - Throws: when it cannot be started.
  init(_ arguments: [String], connections: Int, input generator: String = "</dev/null") throws {
    self.connections = connections
    proxy = try FaultProxy(to: .shared)
    directory = FileManager.default.temporaryDirectory.appending(path: "workq-flood-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let broker = Broker.shared.with(url: proxy.url(of: .shared))
    // Directly after the subcommand, because everything after "--" is the command.
    let workq = Program.workq([arguments[0], "--heartbeat", "1s"] + arguments.dropFirst()).at(broker)
    // The test knows one PID only, which must be that of workq.
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

  /// A command that writes endlessly at low priority, so that the broker gets processor time.
  ///
  /// Without it the broker is silent for two heartbeat intervals, and the program closes the connection.
  static func endless(_ command: String) -> String { "nice -n 19 \(command)" }

  private static let wanted =
    #"\{[^{}]*"event":"(consuming|disconnected|reconnected|unreachable|publishing_failed|failed|stopping|stopped)"[^{}]*\}|workq: .*"#

  // MARK: Timing

  /// Waits for the duration of the flood.
  func last() throws {
    let start = Date.now
    try waitUntil("the flood has lasted long enough", within: Self.seconds + 60) {
      if !program.isRunning { throw Ended(events: events) }
      return Date.now.timeIntervalSince(start) >= Self.seconds
    }
  }

  private struct Ended: Error {
    let events: String
  }

  /// Sends SIGTERM.
  ///
  /// - Returns: the time until the program reported the signal, in seconds.
  func stop() throws -> Double {
    let start = Date.now
    program.signal(SIGTERM)
    try waitUntil("the program reports the signal (so far: \(events))") {
      let text = events
      return text.contains(#""event":"stopping""#) || text.contains("stopped by SIGTERM")
    }
    return Date.now.timeIntervalSince(start)
  }

  /// Waits until the program exits.
  ///
  /// - Returns: the exit code, and the time from now in seconds.
  func end() throws -> (status: Int32, seconds: Double) {
    let start = Date.now
    let status = try program.end().status
    return (status, Date.now.timeIntervalSince(start))
  }

  /// Sends SIGTERM again and waits until the program exits.
  func stopNow() throws -> (status: Int32, seconds: Double) {
    program.signal(SIGTERM)
    return try end()
  }

  // MARK: Results

  /// The connection failures that the program reported.
  ///
  /// Empty when the broker was silent for two heartbeat intervals: the machine was too busy then.
  var lostConnections: [Substring] {
    guard proxy.longestSilenceOfBroker < 2 else { return [] }
    let bad = ["disconnected", "unreachable", "publishing_failed", "connection lost"]
    return events.split(separator: "\n").filter { line in bad.contains { line.contains($0) } }
  }

  /// The number of connections beyond those that the program needs; 0 when the broker was silent too long.
  var furtherConnections: Int {
    proxy.longestSilenceOfBroker < 2 ? max(0, proxy.connections - connections) : 0
  }

  /// The longest time without data from the program, in seconds.
  var longestSilence: Double { proxy.longestSilenceOfProgram }

  /// The run times of the tasks that timed out, in seconds.
  var timeouts: [Double] {
    events.matches(of: /"error":"timed out after 2 s"[^{}]*"seconds":([0-9.]+)/).compactMap { Double($0.1) }
  }

  /// The peak memory of the program in kilobytes.
  var peakMemory: Int? {
    let status = try? String(contentsOfFile: "/proc/\(program.pid)/status", encoding: .utf8)
    return status?.firstMatch(of: /VmHWM:\s+([0-9]+) kB/).flatMap { Int($0.1) }
  }

  /// The number of bytes that the commands wrote to stdout; known when the program has exited.
  var bytes: Int? { Int(text("bytes").trimmingCharacters(in: .whitespacesAndNewlines)) }

  /// The number of tasks done or parked, as the worker's last event reports it.
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

  /// Prints a line of measurements for Tests/Reliability.md.
  func note(_ what: String, _ more: String = "") {
    let late = timeouts.max().map { String(format: "%.2f s", $0 - 2) } ?? "-"
    let silence = String(format: "%.2f s", longestSilence)
    let broker = String(format: "%.2f s", proxy.longestSilenceOfBroker)
    print(
      "flood: \(what), \(Self.seconds) s: timeouts late by \(late), silent for \(silence) (broker \(broker)) \(more)"
    )
  }
}
