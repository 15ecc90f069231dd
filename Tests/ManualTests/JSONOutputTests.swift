import Foundation
import TestSupport
import Testing

/// Compares the `--json` output of subcommands, on success and on failure, with the man pages.
@Suite(.busy) struct JSONOutputTests {
  /// A command line without `--json`, in which `QUEUE` stands for a unique queue name.
  struct Line: CustomTestStringConvertible, Sendable {
    let status: Int32
    let arguments: [String]
    var input: String?
    /// Commands that run first and must exit with 0.
    var before: [[String]] = []
    var testDescription: String { arguments.joined(separator: " ") }

    init(_ status: Int32, _ commandLine: String, input: String? = nil, before: String...) {
      self.status = status
      self.arguments = commandLine.split(separator: " ").map(String.init)
      self.input = input
      self.before = before.map { $0.split(separator: " ").map(String.init) }
    }

    func at(_ url: String) -> Program {
      var program = Program.workq([arguments[0], "--json"] + arguments.dropFirst())
      program.environment["AMQP_URL"] = url
      return program
    }

    /// The same command line with `queue` for `QUEUE`.
    func on(_ queue: String) -> Line {
      func named(_ arguments: [String]) -> [String] { arguments.map { $0.replacing("QUEUE", with: queue) } }
      return Line(status, named(arguments), input, before.map(named))
    }

    /// The same command line with `-q QUEUE`, unless its arguments contain `QUEUE` already.
    var withQueue: Line {
      arguments.contains { $0.contains("QUEUE") }
        ? self : Line(status, [arguments[0], "-q", "QUEUE"] + arguments.dropFirst(), input, before)
    }

    private init(_ status: Int32, _ arguments: [String], _ input: String?, _ before: [[String]]) {
      (self.status, self.arguments, self.input, self.before) = (status, arguments, input, before)
    }
  }

  /// The JSON objects of stdout; the subcommand's page must explain all of their keys.
  private func objects(_ output: String, _ subcommand: String) throws -> [[String: Any]] {
    let documented = try ManualPage("workq-\(subcommand).1").jsonNames
    return try output.split(separator: "\n").map { line in
      let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
      let object = try #require(value as? [String: Any], "\(line)")
      let inner = (object["delivery"] as? [String: Any] ?? [:]).keys
      let unexplained = Set(object.keys).union(inner).subtracting(documented)
      #expect(unexplained == [], "keys that the page does not explain")
      return object
    }
  }

  /// Runs a command line and expects JSON objects; on failure, the last one has the code and the message.
  @discardableResult
  private func run(_ line: Line, at url: String = Broker.shared.url) throws -> [[String: Any]] {
    for arguments in line.before {
      var program = Program.workq(arguments)
      program.environment["AMQP_URL"] = url
      let result = try program.run()
      try #require(result.status == 0, "\(arguments): \(result.error)")
    }
    let result = try line.at(url).run(input: line.input.map { Array($0.utf8) })
    #expect(result.status == line.status, "\(result.error)")
    let objects = try objects(result.output, line.arguments[0])
    let codes = objects.compactMap { $0["code"] as? Int32 }
    #expect(codes == (line.status == 0 ? [] : [line.status]), "\(result.output)")
    if line.status != 0 {
      let error = try #require(objects.last?["error"] as? String, "\(result.output)")
      #expect(result.error.contains("workq: \(error)\n"), "\(result.error)")
    }
    return objects
  }

  private static let publish = "publish -q QUEUE task"

  @Test(arguments: [
    Line(0, "publish -q QUEUE task"), Line(0, "publish -q QUEUE --lines", input: "a\nb\n"),
    Line(0, "work -q QUEUE --drain --fake --dot 0", before: publish),
    Line(0, "work -q QUEUE --drain -- cat", before: publish),
    Line(0, "work -q QUEUE --drain -j 3 -- ls /proc/self", before: publish),
    Line(0, "work -q QUEUE --drain --retry-delay 1h -- ls /nonexistent", before: publish),
    Line(0, "status QUEUE", before: "declare QUEUE"), Line(0, "peek QUEUE", before: publish),
    Line(0, "peek QUEUE", before: "declare QUEUE"),
    Line(0, "move QUEUE QUEUE.to", before: publish, "declare QUEUE.to"),
    Line(0, "declare QUEUE QUEUE.other"), Line(0, "declare QUEUE --type quorum --dead-letter"),
    Line(0, "purge --force QUEUE", before: publish), Line(0, "purge --force --delete QUEUE", before: publish),
    Line(0, "publish -q QUEUE --unless-waiting 1 task", before: publish),
    Line(0, "status -v QUEUE", before: publish),
  ])
  func `prints only JSON objects when the command succeeds`(line: Line) throws {
    try run(line.on(freshQueue("json")))
  }

  @Test(arguments: [
    "publish task", "publish --lines", "work --fake", "work -- true", "status", "status --watch", "peek",
    "move QUEUE QUEUE.to", "declare", "purge --force",
  ])
  func `prints the failure as a JSON object when the broker is unreachable`(commandLine: String) throws {
    try run(Line(69, commandLine).on(freshQueue("json")), at: "amqp://127.0.0.1:1")
  }

  @Test(arguments: [
    "publish task --no-declare", "work --no-declare -- true", "status", "status --max-waiting 1", "peek",
    "move QUEUE QUEUE.to", "declare --check", "purge --force", "purge --force --delete",
  ])
  func `prints the failure as a JSON object when the queue is missing`(commandLine: String) throws {
    try run(Line(78, commandLine).withQueue.on(freshQueue("json")))
  }

  @Test(arguments: [
    "publish task", "work --fake", "work -- true", "peek", "move QUEUE QUEUE.to", "purge --force",
  ])
  func `prints the failure as a JSON object when access is refused`(commandLine: String) throws {
    let queue = freshQueue("json")
    try run(Line(0, "declare QUEUE QUEUE.to").on(queue))
    let user = "json-\(UUID().uuidString.prefix(8))"
    try Broker.shared.addUser(user, password: "p", configure: "^$", write: "^$", read: "^$")
    defer { try? Broker.shared.deleteUser(user) }
    let url = Broker.shared.url.replacing(#/\/\/.*@/#, with: "//\(user):p@")
    try run(Line(77, commandLine).withQueue.on(queue), at: url)
  }

  @Test(arguments: ["publish task", "status", "status --watch", "declare"])
  func `prints the failure as a JSON object when the log-in is refused`(commandLine: String) throws {
    let url = Broker.shared.url.replacing(#/\/\/.*@/#, with: "//nobody:p@")
    try run(Line(77, commandLine).withQueue.on(freshQueue("json")), at: url)
  }

  @Test(arguments: [
    "publish --nonsense", "publish --priority 256 x", "work --drain=1", "work cat",
    "work --output tagged -- cat",
    "work --output passthrough -- cat", "status --watch=0", "peek --raw", "peek a b", "move a",
    "declare --arg x",
    "purge -q QUEUE", "publish -q QUEUE", "work -q QUEUE",
  ])
  func `prints the failure as a JSON object when the command line is invalid`(commandLine: String) throws {
    try run(Line(64, commandLine).on(freshQueue("json")))
  }

  @Test(arguments: [
    Line(65, "publish -q QUEUE --jsonl", input: "nonsense\n"),
    Line(3, "publish -q QUEUE --jsonl", input: "{\"body\":\"x\"}\n[]\n"),
    Line(65, "publish -e amq.direct -r QUEUE x"),
    Line(66, "publish -q QUEUE -f /nonexistent"), Line(73, "publish -q QUEUE --spool=/dev/null/spool task"),
    Line(78, "work -q QUEUE -- /nonexistent/command"),
    Line(1, "work -q QUEUE --drain --on-failure park -- ls /nonexistent", before: publish),
    Line(1, "work -q QUEUE --drain --timeout 100ms --on-failure drop -- sleep 60", before: publish),
    Line(75, "status --max-waiting 0 QUEUE", before: publish),
    Line(78, "declare --type quorum QUEUE", before: "declare QUEUE"),
    Line(75, "purge --force --delete --if-empty QUEUE", before: publish),
  ])
  func `prints the failure as a JSON object when a task, a file, a command or a queue causes it`(line: Line)
    throws
  {
    try run(line.on(freshQueue("json")))
  }

  @Test func `the done event contains the command's output, byte for byte`() throws {
    let queue = freshQueue("json")
    let program = ["work", "-q", queue, "--json", "--drain", "--", "sh", "-c", #"cat; printf '\377' >&2"#]
    try run(Line(0, Self.publish).on(queue))
    let result = try Program.workq(program).run()
    let done = try #require(try objects(result.output, "work").first { $0["event"] as? String == "done" })
    #expect(done["stdout"] as? String == "task")
    #expect(done["stderr_base64"] as? String == "/w==")
    #expect(!result.error.contains("\u{fffd}"))
  }

  @Test(arguments: [(1, Int32(0)), (2, 128 + SIGTERM)])
  func `prints only JSON objects when signals stop the worker`(signals: Int, status: Int32) throws {
    let queue = freshQueue("json")
    try run(Line(0, Self.publish).on(queue))
    let script = signals == 1 ? "sleep 0.5" : "sleep 60"
    let worker = try Program.workq("work", "-q", queue, "--json", "--", "sh", "-c", script).start()
    try worker.waitForOutput(#""event":"started""#)
    worker.signal(SIGTERM)
    try worker.waitForOutput(#""event":"stopping""#)
    if signals == 2 { worker.signal(SIGTERM) }
    let end = try worker.end()
    #expect(end.status == status, "\(end.error)")
    let events = try objects(end.output, "work").compactMap { $0["event"] as? String }
    #expect(events.contains(signals == 1 ? "stopped" : "killed"), "\(events)")
  }

  @Test func `status --watch reports a lost connection as a JSON object`() throws {
    let queue = freshQueue("json")
    try run(Line(0, "declare QUEUE").on(queue))
    let proxy = try FaultProxy(to: .shared)
    var program = Program.workq("status", "--watch", "100ms", "--json", queue)
    program.environment["AMQP_URL"] = proxy.url(of: .shared)
    let watch = try program.start()
    try watch.waitForOutput(#""change_per_second":"#)
    proxy.cut()
    try watch.waitForOutput(#""event":"disconnected""#)
    let before = watch.output.count
    try waitUntil("the watch prints again") { watch.output.count > before }
    watch.signal(SIGTERM)
    let objects = try objects(try watch.end().output, "status")
    let event = try #require(objects.first { $0["event"] != nil })
    #expect(event["error"] as? String != nil)
    #expect(event["retry_in_seconds"] as? Double != nil)
  }
}
