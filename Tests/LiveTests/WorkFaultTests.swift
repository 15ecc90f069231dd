import Foundation
import TestSupport
import Testing

/// Tasks that can be neither retried nor parked, commands that misbehave, and a worker that is the first process.
@Suite(.waiting) struct WorkFaultTests {
  private let queue = freshQueue("faults")

  // MARK: What can never be published

  @Test func `exits with 77, names the right and requeues the task when no copy may be published`() throws {
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

  @Test func `exits with 78 and requeues the task when its retry queue has other properties`() throws {
    let other = retryQueue(of: queue, after: .seconds(10))
    try Peer.declare(other, "{}")
    try publish(["task"], to: queue)
    let result = try worker(queue, script: "exit 1").run()
    #expect(result.status == 78, "\(result.error)")
    #expect(result.error.contains("inequivalent arg"), "\(result.error)")
    try expectWaiting(in: queue, equals: 1)
    try expectWaiting(in: other, equals: 0)
  }

  @Test func `finishes what runs before it exits for want of a right`() throws {
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

  @Test func `holds a task whose headers leave no room for a copy, does the others and exits with 1`() throws
  {
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
  func `ends no command by dying when a signal arrives that would end it`(signal: Int32) throws {
    try publish(["a", "b"], to: queue)
    let worker = try worker(queue, ["-j", "2", "--output", "passthrough"], script: "echo $$; exec sleep 600")
      .start()
    try waitUntil("both run") { worker.output.count { $0 == "\n" } == 2 }
    worker.signal(signal)
    try worker.waitForError("finishing 2 running tasks")
    worker.signal(signal)
    let result = try worker.end()
    #expect(result.status == 128 + signal)
    #expect(result.outputLines.count == 2)
    for pid in result.outputLines { #expect(!isAlive(pid)) }
    try expectWaiting(in: queue, equals: 2)
  }

  @Test func `leaves at the second signal when its bound was reached before the first`() throws {
    try publish(["a", "b"], to: queue)
    let worker = try worker(queue, ["--count", "1"], script: "echo $$; exec sleep 600").start()
    try waitUntil("it runs") { worker.output.contains("\n") }
    worker.signal(SIGTERM)
    try worker.waitForError("finishing 1 running task")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 143)
    try expectWaiting(in: queue, equals: 2)
  }

  @Test func `reports a command that is stopped because it wants the terminal`() throws {
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
  func `reaps the processes that others leave to it when it is the first process`() throws {
    try publish((1...20).map { "\($0)" }, to: queue)
    // What setsid starts leaves the command's group, and is the first process' when its parent has ended.
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
  func `takes no more into memory than it can soon do, and keeps its connection`(options: [String]) throws {
    let body = String(repeating: "x", count: 2000)
    let input = Array((1...100_000).map { _ in "\(body)\n" }.joined().utf8)
    try expect(Program.workq("publish", "-l", "-q", queue).run(input: input).status, equals: 0)
    let worker = try worker(queue, options + ["-v", "--heartbeat", "1s"], script: "exec sleep 600").start()
    try worker.waitForStart(of: 1)
    var counts: [Int] = []
    try waitUntil("it takes no more") {
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
