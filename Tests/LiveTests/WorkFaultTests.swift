import Foundation
import TestSupport
import Testing

/// Tasks that can be neither retried nor parked, commands that misbehave, and a worker that runs as PID 1.
@Suite(.waiting) struct WorkFaultTests {
  private let queue = freshQueue("faults")

  // MARK: Tasks that can be neither retried nor parked

  @Test func `exits with 77 and requeues the task when the user may not use the retry queue`() throws {
    try publish(["task"], to: queue)
    let user = "reader-\(UUID().uuidString.prefix(8))"
    try Broker.shared.addUser(user, password: "secret", configure: "^\(queue)$", write: "^$")
    defer { try? Broker.shared.deleteUser(user) }
    let reader = Broker.shared.with(url: Broker.shared.url.replacing("guest:guest@", with: "\(user):secret@"))
    let result = try worker(queue, script: "exit 1").at(reader).run()
    #expect(result.status == 77, "\(result.error)")
    #expect(result.error.contains("access to queue '\(queue).retry."), "\(result.error)")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `exits with 78 and requeues the task when its retry queue has other arguments`() throws {
    let other = retryQueue(of: queue, after: .seconds(10))
    try Peer.declare(other, "{}")
    try publish(["task"], to: queue)
    let result = try worker(queue, script: "exit 1").run()
    #expect(result.status == 78, "\(result.error)")
    #expect(result.error.contains("inequivalent arg"), "\(result.error)")
    try expectWaiting(in: queue, equals: 1)
    try expectWaiting(in: other, equals: 0)
  }

  @Test func `finishes running tasks before it exits because of a missing permission`() throws {
    try publish(["slow", "bad"], to: queue)
    let user = "reader-\(UUID().uuidString.prefix(8))"
    try Broker.shared.addUser(user, password: "secret", configure: "^\(queue)$", write: "^$")
    defer { try? Broker.shared.deleteUser(user) }
    let reader = Broker.shared.with(url: Broker.shared.url.replacing("guest:guest@", with: "\(user):secret@"))
    let script = "read -r task; [ $task = bad ] && exit 1; sleep 1; echo $task"
    let result = try worker(queue, ["-j", "2"], script: script).at(reader).run()
    #expect(result.status == 77, "\(result.error)")
    #expect(result.output == "slow\n")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `holds a task with headers too large to retry, runs the others and exits with 1`() throws {
    let headers = Dictionary(
      uniqueKeysWithValues: (0..<4).map { ("h\($0)", String(repeating: "x", count: 32_720)) })
    let json = try JSONSerialization.data(withJSONObject: ["headers": headers])
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    try SeenMessage.put("huge", String(decoding: json, as: UTF8.self), to: queue)
    try publish(["a", "b"], to: queue)
    let script = "read -r task; [ $task = huge ] && exit 1; echo $task"
    let result = try worker(queue, ["--drain"], script: script).run()
    #expect(result.output == "a\nb\n", "\(result.error)")
    #expect(result.status == 1)
    #expect(result.error.contains("task 1 can be neither retried nor parked"), "\(result.error)")
    #expect(result.error.contains("2 done, 1 held"), "\(result.error)")
    try expectWaiting(in: queue, equals: 1)
  }

  // MARK: Signals and children

  @Test(arguments: [SIGQUIT, SIGUSR2, SIGALRM, SIGXCPU, SIGVTALRM, SIGPWR, 40])
  func `stops its commands before it exits on signals that are fatal by default`(signal: Int32) throws {
    try publish(["a", "b"], to: queue)
    let worker = try worker(queue, ["-j", "2", "--output", "passthrough"], script: "echo $$; exec sleep 600")
      .start()
    try waitUntil("both commands run") { worker.output.count { $0 == "\n" } == 2 }
    worker.signal(signal)
    try worker.waitForError("finishing 2 running tasks")
    worker.signal(signal)
    let result = try worker.end()
    #expect(result.status == 128 + signal)
    #expect(result.outputLines.count == 2)
    for pid in result.outputLines { #expect(!isAlive(pid)) }
    try expectWaiting(in: queue, equals: 2)
  }

  @Test func `exits on the second signal when --count was reached before the first`() throws {
    try publish(["a", "b"], to: queue)
    let worker = try worker(queue, ["--count", "1"], script: "echo $$; exec sleep 600").start()
    try waitUntil("the command runs") { worker.output.contains("\n") }
    worker.signal(SIGTERM)
    try worker.waitForError("finishing 1 running task")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 143)
    try expectWaiting(in: queue, equals: 2)
  }

  @Test func `reports a command that SIGTTIN has stopped`() throws {
    try publish(["a"], to: queue)
    let worker = try worker(
      queue, ["--timeout", "10m", "--count", "1", "--max-attempts", "1"], script: "kill -TTIN $$; exit 3"
    )
    .start()
    try worker.waitForError("the command of task 1 is stopped: it wants the terminal")
    worker.signal(SIGTERM)
    try worker.waitForError("finishing 1 running task")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 143)
    try expectWaiting(in: queue, equals: 1)
  }

  @Test(.enabled(if: geteuid() == 0, "only root may make a process the first of its own kind"))
  func `reaps orphaned processes when the worker runs as PID 1`() throws {
    try publish((1...20).map { "\($0)" }, to: queue)
    // setsid moves its child out of the command's process group. PID 1 adopts it when its parent has exited.
    let script = """
      setsid -f true; read -r task; [ $task = 20 ] || exit 0
      n=0; while ps -eo stat= | grep -q ^Z; do n=$((n + 1)); [ $n -lt 200 ] || exit 9; sleep 0.05; done; echo reaped
      """
    let work = worker(queue, ["--count", "20"], script: script)
    var program = Program(
      "/usr/bin/unshare", ["-pf", "--mount-proc", TestEnvironment.binary] + work.arguments)
    program.environment = work.environment
    let result = try program.run()
    #expect(result.output == "reaped\n", "\(result.error)")
    #expect(result.status == 0)
  }

  // MARK: Memory

  @Test(arguments: [["--no-ack"], ["--prefetch", "0"]])
  func `limits its memory and keeps the connection with --no-ack or --prefetch 0`(options: [String]) throws {
    let body = String(repeating: "x", count: 2000)
    let input = Array((1...100_000).map { _ in "\(body)\n" }.joined().utf8)
    try expect(Program.workq("publish", "-l", "-q", queue).run(input: input).status, equals: 0)
    let worker = try worker(queue, options + ["-v", "--heartbeat", "1s"], script: "exec sleep 600").start()
    try worker.waitForStart(of: 1)
    var counts: [Int] = []
    try waitUntil("the worker reads no more tasks") {
      counts.append(try waiting(in: queue))
      return counts.suffix(40).count == 40 && Set(counts.suffix(40)).count == 1
    }
    let peak = try String(contentsOfFile: "/proc/\(worker.pid)/status", encoding: .utf8)
      .firstMatch(of: /VmHWM:\s+([0-9]+) kB/)
    let kilobytes = try #require(peak.flatMap { Int($0.1) })
    #expect(kilobytes < 100_000)
    #expect(!worker.error.contains("lost"))
    worker.signal(SIGTERM)
    try worker.waitForError("finishing 1 running task")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 143)
  }
}
