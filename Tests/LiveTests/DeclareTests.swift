import AMQP
import Foundation
import TestSupport
import Testing
import WorkQueue

@Suite(.busy) struct DeclareTests {
  private func declare(_ arguments: String...) throws -> Program.Result {
    try Program.workq(["declare"] + arguments).run()
  }

  @Test func `matches each declare-ok to its request when a passive declare is pipelined`() throws {
    let (one, two) = (freshQueue(), freshQueue())
    try publish(["a"], to: one)
    try publish(["b", "c"], to: two)
    var connection = try Connection.open(try Address(url: Broker.shared.url), Connection.Options())
    _ = try connection.status(ofQueue: one)
    try connection.sendDeclare(Queue(name: one), isPassive: true)
    let waited = try connection.status(ofQueue: two)
    #expect(waited?.waiting == 2)
    guard case .declared(let counted)? = try connection.nextEvent(within: .seconds(30)) else {
      Issue.record("no count came")
      return
    }
    #expect(counted.waiting == 1)
    connection.close()
  }

  /// Options of `declare`, and the arguments with which another client declares an equal queue.
  @Test(arguments: [
    (["--type", "quorum"], #"{"x-queue-type": "quorum"}"#),
    (["--type", "stream"], #"{"x-queue-type": "stream"}"#),
    (["--type", "classic"], #"{"x-queue-type": "classic"}"#),
    (["--max-length", "5"], #"{"x-max-length": 5}"#),
    (["--max-bytes", "64k"], #"{"x-max-length-bytes": 65536}"#),
    (["--message-ttl", "1m"], #"{"x-message-ttl": 60000}"#),
    (["--expires", "1h"], #"{"x-expires": 3600000}"#),
    (["--overflow", "reject-publish"], #"{"x-overflow": "reject-publish"}"#),
    (["--max-priority", "5"], #"{"x-max-priority": 5}"#),
    (["--single-active-consumer"], #"{"x-single-active-consumer": true}"#),
    (["--type", "quorum", "--delivery-limit", "7"], #"{"x-queue-type": "quorum", "x-delivery-limit": 7}"#),
    (["--dead-letter", "dead"], #"{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}"#),
    (
      ["--arg", "x-max-length:=3", "--arg", "x-queue-mode=lazy"],
      #"{"x-max-length": 3, "x-queue-mode": "lazy"}"#
    ),
  ])
  func `declare creates a queue with the given properties and accepts it again`(
    options: [String], arguments: String
  ) throws {
    let queue = freshQueue()
    for _ in 1...2 {
      let result = try Program.workq(["declare", queue] + options).run()
      #expect(result.status == 0, "\(result.error)")
      #expect(result.output == "\(queue): 0 waiting, 0 consumers\n", "\(result.error)")
    }
    try Peer.declare(queue, arguments)  // throws when the properties differ
    try expect(declare(queue).status, equals: 0)
  }

  @Test func `declare creates transient and auto-delete queues, and reports a mismatch`() throws {
    let queue = freshQueue()
    try expect(declare("--transient", queue).status, equals: 0)
    try Peer.declare(queue, "{}", durable: false)
    let auto = freshQueue()
    try expect(declare("--auto-delete", auto).status, equals: 0)
    let refused = try declare("--durable", auto)
    #expect(refused.status == 78)
    #expect(refused.error.contains("auto_delete  false      true"))
  }

  @Test func `declare lists all mismatched properties and suggests a command that succeeds`() throws {
    let queue = freshQueue()
    try Peer.declare(
      queue,
      #"{"x-max-length": 5, "x-message-ttl": 60000, "x-single-active-consumer": true, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "77"}"#
    )
    let result = try declare("--max-length", "6", "--overflow", "drop-head", "--dead-letter", "78", queue)
    #expect(result.status == 78)
    #expect(result.output == "")
    for row in [
      "property                   asked for  the broker has",
      "x-message-ttl              none       60000", "x-dead-letter-routing-key  78         77",
      "x-max-length               6          5", "x-overflow                 drop-head  none",
      "x-single-active-consumer   none       true",
    ] {
      #expect(result.error.contains("\n  \(row)\n"), "\(result.error)")
    }
    #expect(result.error.contains("queue '\(queue)' exists with other properties"))
    let match = try #require(result.error.firstMatch(of: #/what it is: workq (declare .*)/#))
    let arguments = match.1.split(separator: " ").map(String.init)
    let again = try Program.workq(arguments).run()
    #expect(again.status == 0, "\(arguments) \(again.error)")
  }

  @Test(arguments: ["classic", "quorum", "stream"])
  func `declare reports a mismatch when the queue has another type`(type: String) throws {
    let queue = freshQueue()
    try expect(declare("--type", type, queue).status, equals: 0)
    for other in ["classic", "quorum", "stream"] where other != type {
      let result = try declare("--type", other, queue)
      #expect(result.status == 78)
      #expect(result.error.contains("x-queue-type"), "\(result.error)")
      #expect(result.error.contains("workq declare --type \(type) \(queue)"))
    }
  }

  /// Every way in which the broker refuses to create a queue (406).
  @Test(arguments: [
    (["--type", "quorum", "--arg", "x-max-priority:=300"], "x-max-priority (--max-priority)"),
    (["--type", "stream", "--message-ttl", "1s"], "x-message-ttl (--message-ttl)"),
    (["--expires", "0"], "x-expires (--expires)"), (["--arg", "x-message-ttl=5"], "expected integer"),
    (["--arg", "x-queue-type=odd"], "x-queue-type (--type)"),
    (["--arg", "x-queue-type=quorum", "--transient"], "non-durable"),
    (["--arg", "x-dead-letter-routing-key=k"], "routing_key_but_no_dlx"),
  ])
  func `declare reports why the broker refuses an argument, and creates no queue`(
    options: [String], reason: String
  ) throws {
    let queue = freshQueue()
    let result = try Program.workq(["declare", queue] + options).run()
    #expect(result.status == 78, "\(result.error)")
    #expect(result.error.contains(reason), "\(result.error)")
    try expect(declare("--check", queue).status, equals: 78)
  }

  @Test func `exits with 77 for a reserved name (403) and with 75 for an exclusive queue (405)`() throws {
    let reserved = try declare("amq.mine")
    #expect(reserved.status == 77)
    #expect(reserved.error.contains("reserved prefix"))
    let queue = freshQueue()
    let holder = try Peer.holder(ofExclusive: queue)
    try holder.waitForOutput("ready")
    let locked = try declare(queue)
    #expect(locked.status == 75)
    #expect(locked.error.contains("exclusive access to locked queue"))
    try expect(Program.workq("status", queue).run().status, equals: 75)
  }

  @Test func `commands exit with 77 and lose no task when the user lacks permissions (403)`() throws {
    let (queue, other, user) = (freshQueue(), freshQueue(), "user\(UUID().uuidString.prefix(8))")
    try expect(declare(queue, other).status, equals: 0)
    try expect(Program.workq("publish", "-q", queue, "one").run().status, equals: 0)
    try Broker.shared.addUser(user, password: "secret", configure: "^$", write: "^$", read: "^$")
    defer { try? Broker.shared.deleteUser(user) }
    let poor = Broker.shared.with(url: Broker.shared.url.replacing("guest:guest", with: "\(user):secret"))
    for arguments in [
      ["declare", "--durable", queue], ["declare", freshQueue()],
      ["declare", "--bind", "amq.direct:k", queue],
      ["purge", "--force", queue], ["purge", "--force", "--delete", queue], ["peek", queue],
      ["move", queue, other],
    ] {
      let result = try Program.workq(arguments).at(poor).run()
      #expect(result.status == 77, "\(arguments): \(result.error)")
      #expect(result.error.contains("ACCESS_REFUSED"), "\(arguments): \(result.error)")
      #expect(!result.error.contains("secret"))
    }
    // Now the user may read from queues, but not publish.
    try Broker.shared.setPermissions(of: user, configure: "^$", write: "^$", read: ".*")
    let move = try Program.workq("move", queue, other).at(poor).run()
    #expect(move.status == 77, "\(move.error)")
    #expect(move.error.contains("none is lost"), "\(move.error)")
    try waitUntil("the task is requeued") { try waiting(in: queue) == 1 }
    try expectWaiting(in: other, equals: 0)
  }

  @Test func `declare reports options that the broker's version does not support`() throws {
    let version = try Broker.shared.version
    let classic = try declare("--consumer-timeout", "1h", freshQueue())
    let isRefused = version >= RabbitMQVersion(4, 3)
    #expect(classic.status == (isRefused ? 78 : 0))
    if version < RabbitMQVersion(3, 12) {
      #expect(classic.error.contains("RabbitMQ \(version) ignores --consumer-timeout: it came with 3.12"))
    } else if isRefused {
      #expect(classic.error.contains("heeds --consumer-timeout on quorum queues only"))
    } else {
      #expect(classic.error == "")
    }
    let quorum = try declare("--type", "quorum", "--max-priority", "3", freshQueue())
    #expect(quorum.status == 78)
    let reason =
      version < RabbitMQVersion(4, 0) ? "they came with 4.0" : "have priorities without --max-priority"
    #expect(quorum.error.contains(reason))
  }

  @Test func `declare --dead-letter creates the failed queue, which receives expired tasks`() throws {
    let queue = freshQueue()
    try expect(declare("--dead-letter", "--message-ttl", "1ms", queue).status, equals: 0)
    try expect(Program.workq("publish", "-q", queue, "late").run().status, equals: 0)
    try waitUntil("the task is dead-lettered") { try waiting(in: "\(queue).failed") == 1 }
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `--bind binds the queue to an exchange, and exits with 78 when that does not exist`() throws {
    let (queue, key) = (freshQueue(), UUID().uuidString)
    try expect(declare("--bind", "amq.direct:\(key)", "--bind", "amq.fanout:", queue).status, equals: 0)
    let publish = Peer.amqp("publish", "-e", "amq.direct", "-r", key, "-b", "routed")
    try expect(publish.run().status, equals: 0)
    try waitUntil("the message arrives") { try waiting(in: queue) >= 1 }
    let missing = try declare("--bind", "no.such.exchange:k", queue)
    #expect(missing.status == 78)
    #expect(missing.error.contains("no exchange 'no.such.exchange'"))
    #expect(missing.error.contains("it must be there already"))
  }

  @Test func `declare accepts several queues, and --check reports the one that is missing`() throws {
    let queues = [freshQueue(), freshQueue(), freshQueue()]
    try expect(Program.workq(["declare"] + queues[..<2]).run().outputLines.count, equals: 2)
    let check = try Program.workq(["declare", "--check", "--json"] + queues).run()
    #expect(check.status == 78)
    #expect(check.outputLines.count { $0.contains(#""queue":"#) } == 2)
    #expect(check.outputLines.last?.hasPrefix(#"{"code":78,"error":""#) == true, "\(check.output)")
    #expect(check.error.contains("no such queue: '\(queues[2])'"))
    #expect(check.outputLines[0].contains(#""created":false"#))
  }

  @Test(
    arguments: [
      ("{}", "classic"),
      (#"{"x-message-ttl": 5, "x-max-priority": 3, "x-single-active-consumer": true}"#, "classic"),
      (#"{"x-queue-type": "quorum", "x-delivery-limit": 3}"#, "quorum"),
      (#"{"x-queue-type": "stream"}"#, "stream"),
      (nil, nil),
    ] as [(String?, String?)])
  func `finds the type of a queue without creating the queue`(arguments: String?, type: String?) throws {
    let queue = freshQueue()
    if let arguments { try Peer.declare(queue, arguments) }
    var connection = try Connection.open(Address(url: Broker.shared.url), Connection.Options())
    try expect(connection.type(ofQueue: queue), equals: type)
    let exists = try connection.status(ofQueue: queue) != nil
    #expect(exists == (arguments != nil))
    connection.close()
  }
}
