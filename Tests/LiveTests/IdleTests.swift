import Foundation
import TestSupport
import Testing

/// An idle program uses no processor time.
@Suite(.waiting) struct IdleTests {
  private let queue: String

  init() throws {
    queue = freshQueue("idle")
    try expect(
      Program.workq("publish", "-q", queue, "--lines").run(input: Array("1\n2\n3\n".utf8)).status, equals: 0)
  }

  struct Work: CustomTestStringConvertible, Sendable {
    let name: String
    let options: [String]
    var command = "false"
    /// The text that the worker or the command prints before the worker waits.
    let sign: String
    var testDescription: String { name }
  }

  @Test(arguments: [
    Work(name: "a pause", options: ["--pause-after", "1"], sign: "pausing"),
    Work(name: "a pause of a drain", options: ["--pause-after", "1", "--drain"], sign: "pausing"),
    Work(name: "a rate", options: ["--rate", "1/h"], command: "echo started >&2", sign: "started"),
    Work(
      name: "retries that a drain waits for", options: ["--drain", "--wait-for-retries"], sign: "retry in"),
    Work(
      name: "the end of an idle time", options: ["--drain", "--idle-timeout", "1h", "--on-failure", "park"],
      sign: "parked"),
    Work(name: "a command", options: [], command: "echo started >&2; exec sleep 3600", sign: "started"),
    Work(
      name: "a command, with one task in memory", options: ["--prefetch", "1"],
      command: "echo started >&2; exec sleep 3600", sign: "started"),
    Work(
      name: "a resident command", options: ["--resident=lines"],
      command: "echo started >&2; exec sleep 3600", sign: "started"),
    Work(
      name: "more tasks for a batch", options: ["--batch", "10", "--batch-wait", "1h"],
      sign: "waiting for tasks"),
    Work(
      name: "the next task, with metrics", options: ["--metrics", "METRICS", "--on-failure", "park"],
      sign: "parked"),
  ]) func `the worker uses no processor time while it waits`(work: Work) throws {
    let metrics = try TemporaryFile("")
    defer { try? FileManager.default.removeItem(atPath: "\(metrics.path).lock") }
    let options = work.options.map { $0 == "METRICS" ? metrics.path : $0 }
    let retry = work.options.contains("park") ? [] : ["--retry-delay", "1h"]
    let worker = try Program.workq(
      ["work", "-q", queue, "--grace", "0s"] + retry + options + ["--", "sh", "-c", work.command]
    ).start()
    try waitUntil("the worker waits (\(worker.error))") { (worker.output + worker.error).contains(work.sign) }
    try expectIdle(worker)
    worker.signal(SIGTERM)
    _ = try worker.end()
  }

  @Test func `the worker uses no processor time while the broker is unreachable`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let viaProxy = Broker.shared.with(url: proxy.url(of: .shared))
    let worker = try Program.workq("work", "-q", queue, "--on-failure", "park", "--", "false").at(viaProxy)
      .start()
    try worker.waitForError("parked")
    proxy.refuse(true)
    proxy.cut()
    try worker.waitForError("connection lost")
    try expectIdle(worker)
    worker.signal(SIGTERM)
    _ = try worker.end()
  }

  @Test func `the worker uses no processor time while it waits for a command after SIGTERM`() throws {
    let worker = try Program.workq(
      "work", "-q", queue, "--", "sh", "-c", "trap '' TERM; echo started >&2; exec sleep 3600"
    )
    .start()
    try worker.waitForError("started")
    worker.signal(SIGTERM)
    try worker.waitForError("finishing")
    try expectIdle(worker)
    worker.signal(SIGTERM)
    _ = try worker.end()
  }

  @Test func `publish uses no processor time while it waits for input`() throws {
    let pipe = try NamedPipe()
    let publish = try shell("exec \"$0\" publish -l --print-id -q \"$1\" <\"$2\"", queue, pipe.path).start()
    try pipe.write("first\n")
    try publish.waitForOutput("\n")
    try expectIdle(publish)
    try pipe.close()
    try expect(publish.end().status, equals: 0)
  }

  /// A busy loop would use many hundredths of each second.
  private func expectIdle(_ program: RunningProgram) throws {
    try waitUntil("the program is idle", within: 60) {
      let before = try processorTime(of: program.pid)
      usleep(1_000_000)
      return try processorTime(of: program.pid) - before <= 1
    }
  }

  /// The processor time of a process in hundredths of a second: proc_pid_stat(5), fields 14 and 15.
  private func processorTime(of pid: Int32) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    let fields = try #require(text.split(separator: ")").last).split(separator: " ")
    return try #require(Int(fields[11])) + #require(Int(fields[12]))
  }
}
