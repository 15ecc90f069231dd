import Foundation
import TestSupport
import Testing

@Suite(.waiting) struct PublishTests {
  @Test func `publish sends its arguments as one task and prints nothing`() throws {
    let queue = freshQueue()
    let publish = try Program.workq("publish", "-q", queue, "First", "message.").run()
    #expect(publish.status == 0)
    #expect(publish.output == "")
    #expect(publish.error == "")
    let get = try Peer.amqp("get", "-q", queue).run()
    #expect(get.status == 0)
    #expect(get.output == "First message.")
  }

  @Test func `publish sends the tutorial's greeting when it has no arguments, stdin or queue name`() throws {
    let host = "greeting-\(UUID().uuidString)"
    try Broker.shared.addVirtualHost(host)
    defer { try? Broker.shared.deleteVirtualHost(host) }
    try expect(Program.workq("publish", "--vhost", host).run().status, equals: 0)
    let peek = try Program.workq("peek", "--vhost", host, "--raw").run()
    #expect(peek.output == "Hello World!")
  }

  @Test func `publish exits with 64 when a queue or exchange is given but no task`() throws {
    let queue = freshQueue()
    var unset = Program.workq("publish")
    unset.environment["WORKQ_QUEUE"] = queue
    for publish in [
      Program.workq("publish", "-q", queue), unset, Program.workq("publish", "-e", "amq.fanout"),
    ] {
      let result = try publish.run()
      #expect(result.status == 64)
      #expect(result.output == "")
      #expect(
        result.error == "workq: no task given (words or stdin are the task; see 'workq publish --help')\n")
    }
    try expect(Program.workq("declare", "--check", queue).run().status, equals: 78)
  }

  @Test func `publish prints the task it sent on a terminal unless --quiet is given`() throws {
    let queue = freshQueue()
    let publish = try Program.workq("publish", "-q", queue, "it's", "a\nlist").inTerminal().run()
    #expect(publish.output == #" [x] Sent "it's a\nlist""# + "\r\n")
    #expect(publish.status == 0)
    let quiet = try Program.workq("publish", "--quiet", "-q", queue, "x").inTerminal().run()
    #expect(quiet.output == "")
    #expect(quiet.status == 0)
  }

  @Test(arguments: [
    [0], Array(0...255), Array("quotes ' and \" and\nlines\r\n".utf8), [0xff, 0xfe, 0x2e],
    [UInt8](repeating: 0x61, count: 1_000_000), [UInt8](repeating: 0x62, count: 2 * (131_072 - 8)),
  ])
  func `publish sends stdin as one task unchanged`(body: [UInt8]) throws {
    let queue = freshQueue()
    try expect(Program.workq("publish", "-q", queue).run(input: body).status, equals: 0)
    try expect(Peer.amqp("get", "-q", queue).run().outputBytes, equals: body)
  }

  @Test func `publish exits with 65 and sends nothing when stdin is empty`() throws {
    let queue = freshQueue()
    let publish = try Program.workq("publish", "-q", queue).run(input: [])
    #expect(publish.status == 65)
    #expect(publish.error.hasPrefix("workq: stdin is empty"))
    #expect(publish.error.split(separator: "\n").count == 1)
    try expect(Program.workq("declare", "--check", queue).run().status, equals: 78)
  }

  @Test func `publish works with closed stdin, stdout and stderr when the task is an argument`() throws {
    let queue = freshQueue()
    let shell = Program(
      "/bin/sh", ["-c", "exec \"$0\" publish -q \"$1\" word <&- >&- 2>&-", TestEnvironment.binary, queue])
    try expect(shell.run().status, equals: 0)
    try expect(Peer.amqp("get", "-q", queue).run().output, equals: "word")
  }

  @Test func `publish sends arguments that are not UTF-8 unchanged`() throws {
    let queue = freshQueue()
    let script = "exec \"$0\" publish -q \"$1\" \"$(printf 'K\\344se\\377')\" x"
    try expect(Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).run().status, equals: 0)
    try expect(
      Peer.amqp("get", "-q", queue).run().outputBytes, equals: [0x4b, 0xe4, 0x73, 0x65, 0xff, 0x20, 0x78])
  }

  @Test func `publish sends every line when a while-read loop runs it`() throws {
    let queue = freshQueue()
    let script =
      "printf 'one\\ntwo\\nthree\\n' | while read -r line; do \"$0\" publish -q \"$1\" \"$line\"; done"
    let loop = try Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue]).run()
    #expect(loop.status == 0)
    #expect(loop.error == "")
    try expectWaiting(in: queue, equals: 3)
  }

  @Test func `publish works in cron's minimal environment`() throws {
    let queue = freshQueue()
    let script =
      "exec env -i AMQP_URL=\"$2\" /bin/sh -c 'exec \"$0\" publish -q \"$1\" nightly' \"$0\" \"$1\""
    let cron = Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue, Broker.shared.url])
    let result = try cron.run()
    #expect(result.status == 0)
    #expect(result.error == "")
    try expect(Peer.amqp("get", "-q", queue).run().output, equals: "nightly")
  }

  @Test func `publish declares a missing queue as durable and sends the task to it`() throws {
    let queue = freshQueue()
    let publish = try Program.workq("publish", "-v", "-q", queue, "x").run()
    #expect(publish.status == 0)
    #expect(publish.error.contains("does not exist: declaring it"))
    try expect(Program.workq("declare", "--durable", queue).run().status, equals: 0)
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `publish --no-declare exits with 78 and creates no queue when the queue is missing`() throws {
    let queue = freshQueue()
    let publish = try Program.workq("publish", "--no-declare", "-q", queue, "x").run()
    #expect(publish.status == 78)
    #expect(publish.error.contains("not published: queue '\(queue)' does not exist"))
    try expect(Program.workq("declare", "--check", queue).run().status, equals: 78)
  }

  @Test(arguments: [
    #"{"x-queue-type": "quorum"}"#, #"{"x-message-ttl": 600000, "x-max-length": 5}"#,
    #"{"x-max-priority": 3}"#,
  ])
  func `publish uses an existing queue with other arguments`(arguments: String) throws {
    let queue = freshQueue()
    try Peer.declare(queue, arguments)
    let publish = try Program.workq("publish", "-q", queue, "x").run()
    #expect(publish.status == 0)
    #expect(publish.error == "")
    try waitUntil("the task is in '\(queue)'") { try waiting(in: queue) == 1 }
  }

  @Test func `publish exits with 65 when a full queue rejects the task`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, #"{"x-max-length": 1, "x-overflow": "reject-publish"}"#)
    try expect(Program.workq("publish", "-q", queue, "fits").run().status, equals: 0)
    let second = try Program.workq("publish", "-q", queue, "does not").run()
    #expect(second.status == 65)
    #expect(second.error.contains("not published: the queue is full"))
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `publish sends persistent tasks with a message id, or transient ones with --transient`() throws {
    let queue = freshQueue()
    let json = try Program.workq("publish", "--json", "-q", queue, "one").run()
    try expect(Program.workq("publish", "--transient", "-q", queue, "two").run().status, equals: 0)
    let result = try #require(
      try JSONSerialization.jsonObject(with: Data(json.outputBytes)) as? [String: Any])
    #expect(result["event"] as? String == "published")
    #expect(result["queue"] as? String == queue)
    #expect(result["bytes"] as? Int == 3)
    let id = try #require(result["message_id"] as? String)
    #expect(UUID(uuidString: id) != nil)
    let worker = try Peer.python("worker", queue, "classic").start()
    try worker.waitForOutput("Done", count: 2)
    #expect(worker.output.contains("Done mode=2 id=\(id)"))
    #expect(worker.output.contains("Done mode=1"))
  }

  /// The protocol header, the login and the task are pipelined.
  @Test func `publish sends a task with one round trip to the broker`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let trace = FileManager.default.temporaryDirectory.appending(path: "trace-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: trace) }
    let arguments = ["-o", trace.path, "-e", "trace=network", TestEnvironment.binary]
    let strace = Program("/usr/bin/strace", arguments + ["publish", "-q", queue, "counted"])
    try #require(try strace.run().status == 0)
    let lines = try String(contentsOf: trace, encoding: .utf8).split(separator: "\n")
    // From the protocol header on, a receive that follows a send is a round trip.
    let start = try #require(lines.firstIndex { $0.contains("\"AMQP") })
    var (waits, hasSent) = (0, false)
    for line in lines[start...] {
      if line.hasPrefix("send") { hasSent = true }
      if line.hasPrefix("recv") && !line.contains(" = -1 ") && hasSent {
        (waits, hasSent) = (waits + 1, false)
      }
    }
    #expect(waits == 1, "\(lines[start...].joined(separator: "\n"))")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test(.disposable) func `publish exits with 75 when a memory alarm outlasts --confirm-timeout`() throws {
    let broker = try DisposableBroker.get()
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).at(broker).run().status, equals: 0)
    try broker.raise(.memory)
    defer { try? broker.clear(.memory) }
    let publish = Program.workq("publish", "--confirm-timeout", "2s", "-q", queue).at(broker)
    let small = try publish.run(input: [0x61])
    #expect(small.status == 75, "\(small.error)")
    #expect(small.error.contains("the broker blocks publishers (memory alarm)"))
    let large = try publish.run(input: [UInt8](repeating: 0x61, count: 30_000_000))
    #expect(large.status == 75, "\(large.error)")
    try broker.clear(.memory)
    try waitUntil("publish succeeds after the memory alarm") { try publish.run(input: [0x62]).status == 0 }
  }
}
