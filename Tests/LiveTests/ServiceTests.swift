import Foundation
import TestSupport
import Testing

/// The systemd unit: its verification by systemd, and the behavior of the worker that it starts.
///
/// The tests run without systemd and send the signals of `KillMode=mixed` themselves: TERM to the worker, and
/// KILL to all processes after the stop timeout.
@Suite(.waiting) struct ServiceTests {
  private static let packaging = "\(TestEnvironment.repository)/packaging"

  private static func unit() throws -> String {
    let directory = URL(filePath: TestEnvironment.binary).deletingLastPathComponent().path
    return try String(contentsOfFile: "\(packaging)/workq@.service.in", encoding: .utf8)
      .replacing("@bindir@", with: directory)
  }

  private static func setting(_ name: String, in text: String) throws -> String {
    let line = text.split(separator: "\n").first { $0.hasPrefix("\(name)=") }
    return String(try #require(line, "no \(name)").dropFirst(name.count + 1))
  }

  /// The worker as the unit starts it; the shell splits the settings into arguments as systemd does.
  private static func worker(on queue: String, _ settings: [String: String]) throws -> Program {
    let start = try setting("ExecStart", in: unit())
    var program = Program("/bin/sh", ["-c", "exec \(start)"])
    program.environment = ["PATH": "/usr/bin:/bin", "WORKQ_QUEUE": queue, "WORKQ_URL": Broker.shared.url]
    program.environment["STATE_DIRECTORY"] = try stateDirectory()
    program.environment.merge(settings) { $1 }
    return program
  }

  /// Stands in for systemd's StateDirectory; it is removed with the broker.
  private static func stateDirectory() throws -> String {
    let directory = "\(Broker.shared.directory)/state-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    return directory
  }

  @Test func `systemd-analyze accepts the unit and rates its exposure at 2 of 10 or less`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "workq-unit-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let file = directory.appending(path: "workq@.service")
    try Data(try Self.unit().utf8).write(to: file)
    let analyze = "/usr/bin/systemd-analyze"
    let verified = try Program(analyze, ["verify", "--man=no", file.path]).run()
    #expect(verified.status == 0, "\(verified.error)")
    #expect(verified.output == "", "\(verified.error)")
    #expect(verified.error == "", "\(verified.error)")
    let arguments = ["security", "--offline=true", "--threshold=20", "--no-pager", file.path]
    let secure = try Program(analyze, arguments).run()
    #expect(secure.status == 0, "more than 2.0 of 10: \(secure.output.suffix(200))\(secure.error)")
  }

  @Test func `the service finishes its running task, starts no other and exits with 0 on SIGTERM`() throws {
    let queue = freshQueue()
    let gate = try NamedPipe()
    let script = try TemporaryFile("cat; echo ' begun'; read line <\"$1\"; echo \"$line\"")
    try publish(["first", "second"], to: queue)
    let example = try String(contentsOfFile: "\(Self.packaging)/example.env", encoding: .utf8)
    let options = try Self.setting("WORKQ_OPTIONS", in: example)
    let worker = try Self.worker(
      on: queue,
      [
        "WORKQ_OPTIONS": "\(options) --jobs 1 -v", "WORKQ_COMMAND": "/bin/sh \(script.path) \(gate.path)",
      ]
    ).start()
    try waitUntil("the broker has delivered a task") { try waiting(in: queue) == 1 }
    try worker.waitForStart(of: 1)
    worker.signal(SIGTERM)
    try worker.waitForError("stopping")
    #expect(worker.isRunning)
    try gate.write("ended by itself\n")
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.output == "first begun\nended by itself\n")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `the broker requeues the running task when the service is killed`() throws {
    let queue = freshQueue()
    let gate = try NamedPipe()
    let script = try TemporaryFile("echo $$; read line <\"$1\"; echo \"$line\"")
    try publish(["task"], to: queue)
    let worker = try Self.worker(
      on: queue, ["WORKQ_COMMAND": "/bin/sh \(script.path) \(gate.path)"]
    ).start()
    try worker.waitForOutput("\n")
    let command = try #require(Int32(worker.output.dropLast()))
    worker.signal(SIGTERM)
    try worker.waitForError("stopping")
    worker.signal(SIGKILL)
    kill(command, SIGKILL)
    try expect(worker.end().status, equals: 128 + SIGKILL)
    try waitUntil("the task is requeued") { try waiting(in: queue) == 1 }
  }

  @Test func `the unit's stop timeout is longer than its grace period and kill delay`() throws {
    let unit = try Self.unit()
    let timeout = try #require(try Self.setting("TimeoutStopSec", in: unit).firstMatch(of: #/^(\d+)s$/#))
    let grace = try #require(unit.firstMatch(of: #/--grace (\d+)s /#))
    // A command gets TERM after --grace, and KILL 10 s later, the default of --kill-after.
    #expect(try #require(Int(grace.1)) + 10 < #require(Int(timeout.1)))
    try expect(Self.setting("KillMode", in: unit), equals: "mixed")
  }

  @Test func `the unit restarts the worker on failure, but not after permanent errors (64, 77)`() throws {
    let unit = try Self.unit()
    try expect(Self.setting("Restart", in: unit), equals: "on-failure")
    let final = try Self.setting("RestartPreventExitStatus", in: unit).split(separator: " ")
    func status(_ settings: [String: String]) throws -> String {
      "\(try Self.worker(on: freshQueue(), settings).run().status)"
    }
    let noCommand = try status([:])
    #expect(noCommand == "64")
    #expect(final.contains("64"))
    let denied = try status([
      "WORKQ_URL": Broker.shared.url.replacing("guest@", with: "wrong@"), "WORKQ_COMMAND": "true",
    ])
    #expect(denied == "77")
    #expect(final.contains("77"))
    let away = try status(["WORKQ_URL": "amqp://127.0.0.1:1", "WORKQ_COMMAND": "true"])
    #expect(away == "69")
    #expect(!final.contains("69"))
  }
}
