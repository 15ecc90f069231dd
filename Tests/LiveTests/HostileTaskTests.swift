import Foundation
import TestSupport
import Testing

/// Malicious tasks: everything in them is treated as data.
@Suite(.busy) struct HostileTaskTests {
  private let queue = freshQueue("hostile")

  init() throws {
    try #require(try Program.workq("declare", queue).run().status == 0)
  }

  private func put(_ body: String, _ properties: [String: Any]) throws {
    let json = try JSONSerialization.data(withJSONObject: properties)
    try SeenMessage.put(body, String(decoding: json, as: UTF8.self), to: queue)
  }

  // MARK: Commands

  @Test func `task headers cannot override environment variables such as PATH and LD_PRELOAD`() throws {
    let names = [
      "PATH", "LD_PRELOAD", "ld-preload", "IFS", "BASH_ENV", "", "=", "A=B", "x\nLD_PRELOAD", "../PATH", "é",
      "WORKQ_QUEUE", "QUEUE", "HEADER_X", "a b", "a_b", "A-B",
    ]
    let headers = Dictionary(uniqueKeysWithValues: names.map { ($0, "evil \($0)\nLD_PRELOAD=/evil.so") })
    try put("task", ["headers": headers, "message_id": "x\nPATH=/evil", "type": "$(touch /evil)"])
    let work = try worker(queue, ["--drain"], script: "tr '\\n\\0' '|\\n' </proc/self/environ").run()
    #expect(work.status == 0, "\(work.error)")
    let variables = work.outputLines.map { $0.split(separator: "=", maxSplits: 1) }
    let given = Dictionary(variables.map { (String($0[0]), String($0.last ?? "")) }) { _, second in second }
    #expect(given.count == variables.count, "a variable is there twice")
    let ours = ProcessInfo.processInfo.environment
    #expect(given["PATH"] == ours["PATH"])
    #expect(given["LD_PRELOAD"] == ours["LD_PRELOAD"])
    #expect(given["WORKQ_QUEUE"] == queue)
    #expect(given["WORKQ_MESSAGE_ID"] == "x|PATH=/evil")
    for (name, value) in given where value.contains("evil") {
      let isHeader = name.wholeMatch(of: /WORKQ_HEADER_[A-Z0-9_]+/) != nil
      #expect(isHeader || ["WORKQ_MESSAGE_ID", "WORKQ_TYPE"].contains(name), "\(name)=\(value)")
    }
    #expect(given["WORKQ_HEADER_PATH"]?.hasPrefix("evil PATH|") == true)
  }

  @Test(arguments: [
    "$(touch \"$PWNED\")", "`touch \"$PWNED\"`", "; touch \"$PWNED\" #", "| touch \"$PWNED\"", "--version",
    "-rf", "--",
    "'\"\\ \t", "a\nb", "%s%n", "*", "~", "é\u{202e}", "",
  ])
  func `--argument passes the body as one unchanged argument and executes nothing`(body: String) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "workq-\(queue)").path
    try put(body, ["headers": ["x": body], "correlation_id": body])
    let script = "printf '%s|%s|%s|%s' \"$#\" \"$1\" \"$WORKQ_HEADER_X\" \"$WORKQ_CORRELATION_ID\""
    var work = Program.workq("work", "-q", queue, "--drain", "--argument", "--", "sh", "-c", script, "sh")
    work.environment["PWNED"] = file
    let result = try work.run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "1|\(body)|\(body)|\(body)")
    #expect(!FileManager.default.fileExists(atPath: file))
  }

  @Test func `--shell executes the body but no header and no type`() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "workq-\(queue)").path
    let evil = "; touch '\(file)'; $(touch '\(file)')"
    try put("printf '%s' \"$WORKQ_HEADER_X$WORKQ_TYPE\"", ["headers": ["x": evil], "type": evil])
    let result = try Program.workq("work", "-q", queue, "--drain", "--shell").run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == evil + evil, "\(result.error)")
    #expect(!FileManager.default.fileExists(atPath: file))
  }

  // MARK: Terminals

  private static let cursor = "\u{1b}[2J\u{1b}]0;owned\u{7}\n [x] Done\r\u{9b}31m\u{202e}"

  @Test(arguments: [
    ["work", "--drain", "-v", "--fake"], ["work", "--drain", "-v", "--", "sh", "-c", "exit 65"],
    ["work", "--drain", "--log", "json", "--", "sh", "-c", "exit 65"],
    ["work", "--drain", "--json", "--", "sh", "-c", "exit 65"], ["peek"],
    ["peek", "--json"], ["status"],
  ])
  func `a task cannot put control characters or forged lines into the output`(arguments: [String]) throws {
    let cursor = Self.cursor
    let headers = ["x-workq-reason": cursor, "x-workq-host": cursor, cursor: cursor, "x-death": cursor]
    try put(
      cursor,
      [
        "headers": headers, "message_id": cursor, "correlation_id": cursor, "type": cursor, "app_id": cursor,
        "content_type": cursor, "reply_to": cursor,
      ])
    var program = Program.workq([arguments[0], "-q", queue] + arguments.dropFirst())
    if arguments[0] == "status" { program = Program.workq("status", queue) }
    let result = try program.run()
    for text in [result.output, result.error] {
      let controls = text.unicodeScalars.filter { scalar in
        (scalar.value < 0x20 && scalar != "\n") || (0x7f...0x9f).contains(scalar.value)
      }
      #expect(controls.isEmpty, "\(text)")
      let isFake = arguments == ["work", "--drain", "-v", "--fake"]
      #expect(text.split(separator: "\n").filter { $0 == " [x] Done" }.count <= (isFake ? 1 : 0), "\(text)")
    }
  }

  // MARK: Headers of every type

  private func headers(_ action: String, _ queue: String, _ more: String...) throws -> String {
    let path = "\(TestEnvironment.repository)/Tests/LiveTests/Tutorial/headers.py"
    var program = Program("/usr/bin/python3", [path, action, queue] + more)
    program.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    let result = try program.run()
    guard result.status == 0 else { throw Peer.PeerFailed(message: result.error) }
    return result.output
  }

  @Test func `headers of every type are unchanged after a move and after parking`() throws {
    let moved = "\(queue)-moved"
    try #require(try Program.workq("declare", moved).run().status == 0)
    _ = try headers("put", queue)
    let sent = try headers("get", queue)
    _ = try headers("put", queue)
    let peek = try Program.workq("peek", queue).run()
    #expect(peek.status == 0, "\(peek.error)")
    #expect(peek.output.contains("header big"), "\(peek.error)")
    try expect(Program.workq("peek", "--json", queue).run().status, equals: 0)
    let move = try Program.workq("move", "-v", queue, moved).run()
    #expect(move.status == 0, "\(move.error)")
    try expect(headers("get", moved), equals: sent)
    // A classic queue, because a quorum queue adds a header of its own and sorts the headers.
    try Peer.declare("\(queue).failed", "{}")
    _ = try headers("put", queue)
    let park = try Program.workq("work", "-q", queue, "--drain", "--", "sh", "-c", "cat; exit 65").run()
    #expect(park.status == 1, "\(park.error)")
    #expect(park.output == "task", "\(park.error)")
    #expect(try headers("get", "\(queue).failed").hasPrefix(sent.dropLast()))
  }

  @Test(arguments: [10, 100, 1000, 26_000])
  func `deeply nested headers crash neither peek nor the worker`(depth: Int) throws {
    _ = try headers("deep", queue, "\(depth)")
    for arguments in [
      ["peek"], ["peek", "--json"],
      ["work", "--drain", "--on-failure", "park", "--", "sh", "-c", "cat; exit 3"],
    ] {
      let result = try Program.workq([arguments[0], "-q", queue] + arguments.dropFirst()).run()
      #expect(result.status < 128, "\(arguments): \(result.status) \(result.error)")
    }
  }
}
