import Foundation
import TestSupport
import Testing

/// The input of publish: stdin, files and records.
@Suite(.waiting) struct PublishInputTests {
  @Test(arguments: [
    (["-l"], "a\n\nb\r\nlast", ["a", "", "b\r", "last"]), (["--lines"], "\n", [""]), (["-l"], "", []),
    (["-0"], "a\0\0b\nc\0", ["a", "", "b\nc"]), (["-D", ";"], "a;b;;c", ["a", "b", "", "c"]),
    (["--delimiter", #"\r\n"#], "a\nb\r\nc\r\n", ["a\nb", "c"]),
    (["-D", "END"], "oneENENDtwoE", ["oneEN", "twoE"]),
    (["-D", #"\x01\\"#], "a\u{1}\\b\u{1}c", ["a", "b\u{1}c"]),
    (["--jsonl"], #"{"body":"a\nb"}"# + "\n" + #"{"body_base64":"YmM=","type":"t"}"#, ["a\nb", "bc"]),
  ])
  func `publish sends each record as a task`(options: [String], input: String, bodies: [String]) throws {
    let queue = freshQueue()
    try #require(try Program.workq("declare", queue).run().status == 0)
    let publish = try Program.workq(["publish", "-q", queue] + options).run(input: Array(input.utf8))
    #expect(publish.status == 0, "\(publish.error)")
    #expect(publish.output == "", "\(publish.error)")
    #expect(publish.error == "", "\(publish.error)")
    try expect(drain(queue).map(\.text), equals: bodies)
  }

  @Test func `publish -0 sends records of arbitrary bytes and lengths unchanged`() throws {
    let queue = freshQueue()
    var random = SeededRandom(seed: 5)
    let records = [0, 1, 65_535, 65_536, 131_064, 131_065, 300_000, 7].map { size in
      (0..<size).map { _ in UInt8.random(in: 1...255, using: &random) }
    }
    let publish = Program.workq("publish", "-0", "-q", queue)
    try expect(publish.run(input: Array(records.joined(separator: [0]))).status, equals: 0)
    let arrived = try drain(queue).map(\.bytes)
    let areEqual = arrived == records
    #expect(areEqual)
  }

  @Test func `publish sends a 20 MB body as a single task and as a record`() throws {
    let body = (0..<20_000_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 11) | 1 }
    for options in [[], ["-0"]] {
      let queue = freshQueue()
      let publish = try Program.workq(["publish", "-q", queue] + options).run(input: body)
      #expect(publish.status == 0, "\(publish.error)")
      let isSame = try Peer.amqp("get", "-q", queue).run().outputBytes == body
      #expect(isSame)
    }
  }

  @Test func `publish reads tasks and records from files, and from stdin for '-'`() throws {
    let (one, two, empty) = (try TemporaryFile("1\n2"), try TemporaryFile("3\n"), try TemporaryFile(""))
    let cases: [([String], [String])] = [
      (["-f", one.path], ["1\n2"]), (["--file", one.path, "--file", two.path], ["1\n2", "3\n"]),
      (["-f", two.path, "-f", empty.path, "-f", "-"], ["3\n", "", "in"]),
      (["-l", "-f", one.path, "-f", empty.path, "-f", two.path, "-f", "-"], ["1", "2", "3", "in"]),
    ]
    for (options, bodies) in cases {
      let queue = freshQueue()
      let publish = try Program.workq(["publish", "-q", queue] + options).run(input: Array("in".utf8))
      #expect(publish.status == 0, "\(publish.error)")
      #expect(publish.error == "", "\(publish.error)")
      try expect(drain(queue).map(\.text), equals: bodies)
    }
  }

  @Test func `publish reads and writes files whose names are not UTF-8`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "workq-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let queue = freshQueue()
    let script = #"""
      mkdir "$2" && cd "$2" && name=$(printf 'caf\351') && printf '{"body":"x"}\nbad\n' >"$name"
      "$0" publish -q "$1" --jsonl -f "$name" --failed-to "$name.failed"
      echo "exit code $?"; cat "$name.failed"; "$0" publish -q "$1" -f "$name.none"; echo "exit code $?"
      """#
    let result = try shell(script, queue, directory).run()
    #expect(result.output == "exit code 3\nbad\nexit code 66\n", "\(result.error)")
    #expect(
      result.error.contains("cannot read 'caf\u{fffd}.none': No such file or directory"), "\(result.error)")
    try expect(drain(queue).map(\.text), equals: ["x"])
  }

  @Test func `publish sends each line at once and sends heartbeats while its input is idle`() throws {
    let queue = freshQueue()
    let pipe = try NamedPipe()
    try #require(try Program.workq("declare", queue).run().status == 0)
    let publish = try shell(
      "exec \"$0\" publish -v -l --heartbeat 1s --retry-for 10s -q \"$1\" <\"$2\"", queue, pipe.path
    ).start()
    for line in 1...3 {
      try pipe.write("line \(line)\n")
      try waitUntil("line \(line) is in the queue") { try waiting(in: queue) == line }
    }
    // The broker closes a connection that is silent for two or three heartbeats.
    let silence = Date.now
    try waitUntil("five heartbeats have passed") { Date.now.timeIntervalSince(silence) > 5 }
    #expect(publish.isRunning)
    try pipe.write("unfinished")
    try pipe.close()
    try expect(publish.end().status, equals: 0)
    #expect(publish.error.ranges(of: "connected to").count == 1)
    #expect(!publish.error.contains("again"))
    try expect(drain(queue).map(\.text), equals: ["line 1", "line 2", "line 3", "unfinished"])
  }

  @Test(arguments: [[], ["--no-confirm"]])
  func `publish needs less than 24 MB of memory for 250,000 records`(options: [String]) throws {
    let queue = freshQueue()
    try Peer.declare(queue, #"{"x-max-length": 1}"#)
    let script = """
      import resource, subprocess, sys
      with open(sys.argv[1]) as lines: status = subprocess.run(sys.argv[2:], stdin=lines).returncode
      print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
      """
    let peaks = try [5000, 250_000].map { count in
      let lines = try TemporaryFile(
        String(repeating: String(repeating: "x", count: 399) + "\n", count: count))
      var program = Program.workq(["publish", "--transient", "-l", "-q", queue] + options)
      program.arguments = ["-c", script, lines.path, program.path] + program.arguments
      program.path = "/usr/bin/python3"
      let fields = try program.run(limit: 300).output.split(whereSeparator: \.isWhitespace)
      try #require(fields.count == 2 && fields[0] == "0")
      return try #require(Int(fields[1]))
    }
    #expect(peaks[1] < 24 * 1024, "\(peaks) kB")
    #expect(peaks[1] - peaks[0] < 8 * 1024, "\(peaks) kB")
  }

  // MARK: Unreadable input and unwritable output

  @Test func `publish exits with 66 and sends nothing when an input file is missing`() throws {
    let queue = freshQueue()
    let file = try TemporaryFile("x\n")
    for options in [["-f", file.path, "-f", "/nowhere/x"], ["-l", "-f", file.path, "-f", "/nowhere/x"]] {
      let publish = try Program.workq(["publish", "-q", queue] + options).run()
      #expect(publish.status == 66)
      #expect(publish.error == "workq: cannot read '/nowhere/x': No such file or directory\n")
      try expect(Program.workq("declare", "--check", queue).run().status, equals: 78)
    }
  }

  @Test func `publish exits with 66 when a file is unreadable, or with 3 when other tasks are sent`() throws {
    let queue = freshQueue()
    let file = try TemporaryFile("x\n")
    let only = try Program.workq("publish", "-q", queue, "-f", "/tmp").run()
    #expect(only.status == 66)
    #expect(only.error == "workq: cannot read '/tmp': Is a directory\n")
    let both = try Program.workq("publish", "-l", "-q", queue, "-f", "/tmp", "-f", file.path).run()
    #expect(both.status == 3)
    #expect(both.error.contains("1 published, 0 not: cannot read '/tmp': Is a directory"))
    try expectWaiting(in: queue, equals: 1)
  }

  @Test(arguments: [
    ("exec \"$0\" publish -q \"$1\" </", "Is a directory"),
    ("exec \"$0\" publish -l -q \"$1\" </", "Is a directory"),
    ("exec \"$0\" publish -l -q \"$1\" <&-", "Bad file descriptor"),
  ])
  func `publish exits with 74 when stdin cannot be read`(script: String, reason: String) throws {
    let publish = try shell(script, freshQueue()).run()
    #expect(publish.status == 74, "\(publish.error)")
    #expect(publish.error.contains("cannot read stdin: \(reason)"), "\(publish.error)")
    #expect(publish.error.split(separator: "\n").count == 1)
  }

  @Test func `publish exits with 74 when stdout is unwritable, and with 141 when its reader exits`() throws {
    let queue = freshQueue()
    for target in [">&-", ">/dev/full"] {
      let publish = try shell("exec \"$0\" publish --print-id -q \"$1\" x \(target)", queue).run()
      #expect(publish.status == 74, "\(publish.error)")
      #expect(publish.error.contains("cannot write to stdout"), "\(publish.error)")
    }
    let lines = Array(String(repeating: "x\n", count: 50_000).utf8)
    let script = "{ \"$0\" publish -l --print-id -q \"$1\"; echo \"status $?\" >&2; } | head -n 1"
    let head = try shell(script, queue).run(input: lines)
    #expect(head.outputLines.count == 1, "\(head.error)")
    #expect(head.error == "status 141\n", "\(head.error)")
  }
}
