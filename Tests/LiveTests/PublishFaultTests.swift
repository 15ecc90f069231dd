import Foundation
import TestSupport
import Testing

/// Publishing over a network that fails.
@Suite(.waiting) struct PublishFaultTests {
  private let proxy: FaultProxy
  private let queue: String
  private var viaProxy: Broker { Broker.shared.with(url: proxy.url(of: .shared)) }

  init() throws {
    proxy = try FaultProxy(to: .shared)
    queue = freshQueue("fault")
    try #require(try Program.workq("declare", queue).run().status == 0)
  }

  private func lines(_ count: Int) -> [UInt8] { Array((1...count).map { "\($0)\n" }.joined().utf8) }

  @Test func `publish delivers every line in order when its connection is cut three times`() throws {
    let count = 40_000
    proxy.set(.slow(0.002))
    let publish = try Program.workq("publish", "-l", "--print-id", "--retry-for", "10m", "-q", queue)
      .at(viaProxy).start(input: lines(count))
    for round in 1...3 {
      try waitUntil("5000 more tasks are confirmed (\(publish.error))") {
        publish.output.utf8.count / 37 > round * 5000 || !publish.isRunning
      }
      proxy.cut()
    }
    proxy.set(.normal)
    let result = try publish.end()
    proxy.stop()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("are sent again"))
    #expect(result.outputLines.count == count)
    let arrived = try drain(queue).compactMap { Int($0.text) }
    #expect(Set(arrived) == Set(1...count))
    var seen: Set<Int> = []
    let firsts = arrived.filter { seen.insert($0).inserted }
    #expect(firsts == Array(1...count))
    // Only tasks in flight may have arrived twice.
    #expect(arrived.count <= count + 3 * 1100)
  }

  @Test func `publish detects a silent broker by missed heartbeats while its input is idle`() throws {
    let pipe = try NamedPipe()
    let publish = try shell(
      "exec \"$0\" publish -l --print-id --heartbeat 1s -q \"$1\" <\"$2\"", queue, pipe.path, at: viaProxy
    ).start()
    try pipe.write("first\n")
    try publish.waitForOutput("\n")
    proxy.set(.frozen)
    let result = try publish.end()
    proxy.stop()
    #expect(result.status == 3, "\(result.error)")
    #expect(result.error.contains("1 published, 0 not: "), "\(result.error)")
    #expect(result.error.contains("nothing came from the broker for two heartbeats"), "\(result.error)")
  }

  @Test func `publish --no-confirm exits with 3 when it loses the connection after sending tasks`() throws {
    let pipe = try NamedPipe()
    let publish = try publishWithoutConfirms(from: pipe)
    try pipe.write("1\n2\n")
    // The tasks can be in the queue earlier, but count as published only after the login.
    try waitUntil("both tasks count as published") { publish.output.split(separator: "\n").count == 2 }
    proxy.cut()
    let result = try publish.end()
    proxy.stop()
    try pipe.close()
    #expect(result.status == 3, "\(result.error)")
    #expect(result.error.contains("2 published, 0 not"), "\(result.error)")
  }

  @Test func `publish --no-confirm resends tasks when the connection is lost during the login`() throws {
    let pipe = try NamedPipe()
    proxy.set(.losingReplies)
    let publish = try publishWithoutConfirms(from: pipe)
    try pipe.write("1\n2\n")
    try waitUntil("both tasks are waiting") { try waiting(in: queue) == 2 }
    proxy.set(.normal)
    proxy.cut()
    try waitUntil("both tasks count as published") { publish.output.split(separator: "\n").count == 2 }
    try pipe.close()
    let result = try publish.end()
    proxy.stop()
    #expect(result.status == 0, "\(result.error)")
    try expect(drain(queue).map(\.text), equals: ["1", "2", "1", "2"])
  }

  private func publishWithoutConfirms(from pipe: NamedPipe) throws -> RunningProgram {
    try shell(
      "exec \"$0\" publish -l --no-confirm --print-id --retry-for 30s -q \"$1\" <\"$2\"", queue, pipe.path,
      at: viaProxy
    ).start()
  }

  @Test func `publish exits with 3 and saves unconfirmed records when the connection is lost`() throws {
    let failed = FileManager.default.temporaryDirectory.appending(path: queue).path
    defer { try? FileManager.default.removeItem(atPath: failed) }
    proxy.set(.slow(0.002))
    let publish = try Program.workq("publish", "-l", "--print-id", "--failed-to", failed, "-q", queue)
      .at(viaProxy).start(input: lines(40_000))
    try waitUntil("3000 tasks are confirmed") { publish.output.utf8.count / 37 > 3000 }
    proxy.cut()
    let result = try publish.end()
    proxy.stop()
    #expect(result.status == 3, "\(result.error)")
    #expect(result.error.contains("published, "))
    #expect(result.error.split(separator: "\n").count == 1)
    let rest = try String(contentsOfFile: failed, encoding: .utf8).split(separator: "\n").compactMap {
      Int($0)
    }
    let arrived = Set(try drain(queue).compactMap { Int($0.text) })
    #expect(arrived.union(rest) == Set(1...40_000))
    #expect(result.outputLines.count + rest.count == 40_000)
  }

  @Test(arguments: [0, 30_000_000])
  func `publish exits with 3 after --confirm-timeout when the broker stops responding`(size: Int) throws {
    let pipe = try NamedPipe()
    // The shell creates the large task on demand, because no pipe can buffer it.
    let script = """
      { echo first; read -r _ <"$2"; head -c "$3" /dev/zero | tr '\\0' x; echo; } | \
      exec "$0" publish -l --print-id --heartbeat 0 --confirm-timeout 3s -q "$1"
      """
    let publish = try shell(script, queue, pipe.path, "\(size)", at: viaProxy).start()
    try publish.waitForOutput("\n")  // the first task is confirmed, not only in the queue
    proxy.set(.frozen)
    try pipe.write("go\n")
    let result = try publish.end()
    proxy.stop()
    // One of the two tasks is published, so the exit code is not 75.
    #expect(result.status == 3, "\(result.error)")
    #expect(
      result.error.contains(
        "1 published, 1 not: cannot publish: the broker has not confirmed the task in time"))
  }

  @Test func `publish exits with 69 or 75 when the broker's answers are lost`() throws {
    let publish = Program.workq("publish", "--confirm-timeout", "2s", "-q", queue, "x").at(viaProxy)
    try expect(publish.run().status, equals: 0)
    // The broker's answers to the login are lost, too: 69 is possible.
    proxy.set(.losingReplies)
    let deaf = try publish.run()
    proxy.stop()
    #expect([69, 75].contains(deaf.status), "\(deaf.error)")
    #expect(deaf.error.split(separator: "\n").count == 1)
  }

  @Test func `publish waits for an unreachable broker for up to --retry-for`() throws {
    proxy.refuse(true)
    let publish = Program.workq("publish", "-q", queue, "x").at(viaProxy)
    try expect(publish.run().status, equals: 69)
    var patient = publish
    patient.arguments += ["--retry-for", "10m"]
    let running = try patient.start()
    try running.waitForError("trying again")
    proxy.refuse(false)
    try expect(running.end().status, equals: 0)
    try expectWaiting(in: queue, equals: 1)
    proxy.refuse(true)
    patient.arguments[patient.arguments.count - 1] = "1s"
    let start = Date.now
    try expect(patient.run().status, equals: 69)
    #expect(Date.now.timeIntervalSince(start) >= 1)
    proxy.stop()
  }

  /// publish pipelines its login, declare waits for each answer.
  @Test func `publish and declare report a failed connection or login with the same message`() throws {
    let url = Broker.shared.url
    let cases: [(String, Int32)] = [
      (url.replacing("guest:guest", with: "guest:geheim"), 77), (url.replacing("%2f", with: "nope"), 77),
      (url.replacing(":\(Broker.shared.port)/", with: ":9/"), 69),
    ]
    for (url, status) in cases {
      let there = Broker.shared.with(url: url)
      let publish = try Program.workq("publish", "-q", queue, "x").at(there).run()
      let declare = try Program.workq("declare", queue).at(there).run()
      #expect(publish.status == status, "\(publish.error)")
      #expect(publish.error == declare.error, "\(publish.error)")
      #expect(!publish.error.contains("geheim"))
    }
    try expectWaiting(in: queue, equals: 0)
  }
}
