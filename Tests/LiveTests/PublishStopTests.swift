import Foundation
import TestSupport
import Testing

/// A bulk publish that a signal stops.
@Suite(.waiting) struct PublishStopTests {
  private let proxy: FaultProxy
  private let queue: String
  private let pipe: NamedPipe
  private let failed = try? TemporaryFile("")
  private var viaProxy: Broker { Broker.shared.with(url: proxy.url(of: .shared)) }

  init() throws {
    proxy = try FaultProxy(to: .shared)
    queue = freshQueue("stop")
    pipe = try NamedPipe()
    try #require(try Program.workq("declare", queue).run().status == 0)
  }

  /// Publishes the lines that are written to the pipe.
  private func publish(_ options: String..., at broker: Broker = .shared) throws -> RunningProgram {
    let script = "pipe=$2; queue=$1; shift 2; exec \"$0\" publish -l -q \"$queue\" \"$@\" <\"$pipe\""
    var program = shell(script, queue, pipe.path, at: broker)
    program.arguments += options
    return try program.start()
  }

  private func lines(_ numbers: ClosedRange<Int>) -> String { numbers.map { "\($0)\n" }.joined() }

  @Test(arguments: [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")])
  func `publish reports the published count and ends by the signal when it is stopped`(
    signal: Int32, name: String
  ) throws {
    let publish = try publish("--json")
    try pipe.write("1\n2\n3\nhalf a line")
    try waitUntil("three tasks are waiting") { try waiting(in: queue) == 3 }
    publish.signal(signal)
    let result = try publish.end()
    #expect(result.status == 128 + signal)
    let message =
      "127.0.0.1:\(Broker.shared.port)/: stopped by \(name): 3 of 3 published: "
      + "record 4 and what follows was not read"
    #expect(result.error == "workq: \(message)\n")
    #expect(result.outputLines.last == #"{"code":\#(128 + signal),"error":"\#(message)"}"#)
    try expectWaiting(in: queue, equals: 3)
  }

  @Test func `publish --unless-waiting stops on a signal while the broker does not answer`() throws {
    proxy.freeze(1, after: 4, .frame)
    let publish = try publish("--unless-waiting", "5", at: viaProxy)
    try pipe.write("1\n")
    try waitUntil("the broker is silent") { proxy.hasFrozen }
    publish.signal(SIGTERM)
    let result = try publish.end(within: 20)
    #expect(result.status == 128 + SIGTERM)
    #expect(result.error.contains("stopped by SIGTERM: 0 of"), "\(result.error)")
    try expectWaiting(in: queue, equals: 0)
  }

  /// Publishes one line, freezes the connection and writes 3000 more lines.
  private func publishToFrozenBroker(_ options: String...) throws -> RunningProgram {
    let failed = try #require(failed).path
    let publish = try publish("--print-id", "--failed-to", failed, options[0], options[1], at: viaProxy)
    try pipe.write("0\n")
    try publish.waitForOutput("\n")
    proxy.set(.frozen)
    try pipe.write(lines(1...3000))
    try waitUntil("publish has read all lines") { pipe.unread == 0 }
    return publish
  }

  private func expectRest(_ result: Program.Result, _ count: Int = 3000) throws {
    proxy.stop()
    #expect(result.status == 128 + SIGTERM, "\(result.error)")
    #expect(result.error.contains(": stopped by SIGTERM: 1 of \(count + 1) published: "), "\(result.error)")
    let rest = try String(contentsOfFile: try #require(failed).path, encoding: .utf8)
    #expect(rest == lines(1...count))
  }

  @Test func `publish waits for confirms and writes unconfirmed tasks to --failed-to when it is stopped`()
    throws
  {
    let publish = try publishToFrozenBroker("--confirm-timeout", "5s")
    publish.signal(SIGTERM)
    try expectRest(publish.end())
  }

  @Test func `publish stops waiting for confirms when it receives a second signal`() throws {
    let publish = try publishToFrozenBroker("--confirm-timeout", "600s")
    publish.signal(SIGTERM)
    try waitUntil("publish has handled the first signal") { try !isPending(publish) }
    publish.signal(SIGTERM)
    try expectRest(publish.end(within: 60))
  }

  /// Whether the program has a signal pending.
  private func isPending(_ program: RunningProgram) throws -> Bool {
    let status = try String(contentsOfFile: "/proc/\(program.pid)/status", encoding: .utf8)
    let sets = status.matches(of: /(?:SigPnd|ShdPnd):\s*([0-9a-f]+)/).map { $0.1 }
    return sets.contains { $0.contains { $0 != "0" } }
  }

  @Test func `publish keeps the lines it has read in the spool when it is stopped`() throws {
    let scratch = FileManager.default.temporaryDirectory.appending(path: "workq-spool-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let nowhere = Broker.shared.with(url: "amqp://guest:guest@127.0.0.1:9")
    let publish = try publish("--spool=\(scratch)", at: nowhere)
    try pipe.write(lines(1...3))
    try waitUntil("the lines are in the spool") {
      ((try? FileManager.default.contentsOfDirectory(atPath: scratch)) ?? []).contains {
        $0.hasSuffix(".tasks2")
      }
    }
    publish.signal(SIGTERM)
    let result = try publish.end()
    #expect(result.status == 128 + SIGTERM, "\(result.error)")
    #expect(result.error.contains("stopped by SIGTERM: 0 of 3 published, 3 kept"), "\(result.error)")
    try expect(Program.workq("publish", "--flush-spool", "--spool=\(scratch)").run().status, equals: 0)
    try expect(drain(queue).map(\.text), equals: ["1", "2", "3"])
  }

  @Test func `publish stops retrying when it receives a signal while the broker is unreachable`() throws {
    let failed = try #require(failed).path
    let nowhere = Broker.shared.with(url: "amqp://guest:guest@127.0.0.1:9")
    let publish = try publish("--retry-for", "10m", "--failed-to", failed, at: nowhere)
    try pipe.write(lines(1...3))
    try publish.waitForError("trying again")
    publish.signal(SIGTERM)
    let result = try publish.end()
    #expect(result.status == 128 + SIGTERM, "\(result.error)")
    #expect(result.error.contains("stopped by SIGTERM: 0 of "), "\(result.error)")
  }
}
