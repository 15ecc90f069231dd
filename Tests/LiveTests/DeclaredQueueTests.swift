import AMQP
import Foundation
import TestSupport
import Testing
import WorkQueue

/// The retry, delay and failed queues, by the broker's features and the user's permissions.
@Suite(.waiting) struct DeclaredQueueTests {
  private let queue = freshQueue("waiting")

  // MARK: The failed queue

  @Test func `peeking at the failed queue 100 times loses no task and keeps the order`() throws {
    try publish(["1", "2", "3"], to: queue)
    let park = ["--count", "3", "--on-failure", "park"]
    try expect(worker(queue, park, script: "exit 1").run().status, equals: 1)
    let failed = "\(queue).failed"
    let addresses = [try Address(url: Broker.shared.url)]
    for _ in 1...100 {
      // Each peek opens its own connection, as each run of `workq peek` does.
      var connection = try Connection.open(firstOf: addresses, Connection.Options())
      var tasks: [String] = []
      _ = try QueueLook.look(
        at: failed, limit: 10, isFailedQueue: true, on: &connection, via: addresses, Connection.Options()
      ) { task in
        tasks.append(String(decoding: task.message.body, as: UTF8.self))
        return true
      }
      #expect(tasks == ["1", "2", "3"])
      connection.close()
    }
    try expect(drain(failed).map(\.text), equals: ["1", "2", "3"])
  }

  @Test func `the worker parks a task in an existing failed queue that has other properties`() throws {
    let failed = "\(queue).failed"
    try Peer.declare(failed, #"{"x-max-length": 7}"#)
    try publish(["task"], to: queue)
    try expect(
      worker(queue, ["--count", "1", "--on-failure", "park"], script: "exit 1").run().status, equals: 1)
    try expectWaiting(in: failed, equals: 1)
  }

  // MARK: Brokers without quorum queues

  /// Up to RabbitMQ 3.11 quorum queues are a feature flag; later versions always have them.
  private static func hasFeatureFlag() throws -> Bool {
    try Broker.shared.version < RabbitMQVersion(3, 12)
  }

  @Test(.enabled(if: try hasFeatureFlag(), "RabbitMQ 3.12 and later always have quorum queues"))
  func `uses classic queues and reports it with -v when the broker has no quorum queues`() throws {
    let broker = try Broker.start { directory in
      let settings = "[{rabbit, [{forced_feature_flags_on_init, []}]}]."
      try settings.write(toFile: "\(directory)/advanced.config", atomically: true, encoding: .utf8)
    }
    defer { try? broker.stop() }
    let publish = try Program.workq("publish", "-v", "--delay", "300ms", "-q", queue, "task").at(broker).run()
    #expect(publish.status == 0, "\(publish.error)")
    #expect(publish.error.contains("using classic queues"), "\(publish.error)")
    let options = ["--count", "2", "--max-attempts", "2", "--retry-delay", "300ms"]
    let work = try worker(queue, options, script: "exit 1").at(broker).run()
    #expect(work.error.contains("1 scheduled for retry, 1 parked"), "\(work.error)")
    #expect(!work.error.contains("classic"), "\(work.error)")
    let types = try broker.queueTypes()
    let names = [
      delayQueue(of: queue, by: .milliseconds(300)), retryQueue(of: queue, after: .milliseconds(300)),
      "\(queue).failed",
    ]
    for name in names { #expect(types[name] == "classic", "\(types)") }
  }

  @Test func `the worker uses an existing classic retry queue when the broker has quorum queues`() throws {
    let retry = retryQueue(of: queue, after: .milliseconds(300))
    let arguments = """
      {"x-queue-type": "classic", "x-message-ttl": 300, "x-dead-letter-exchange": "",
       "x-dead-letter-routing-key": "\(queue)"}
      """
    try Peer.declare(retry, arguments)
    try publish(["task"], to: queue)
    let options = ["--count", "2", "--max-attempts", "2", "--retry-delay", "300ms"]
    let result = try worker(queue, options, script: "exit 1").run()
    #expect(result.error.contains("1 scheduled for retry, 1 parked"), "\(result.error)")
  }

  // MARK: Permissions

  /// A user that may configure and read the queues of this pattern, and write to the default exchange.
  private func user(_ pattern: String) throws -> Broker {
    let name = freshQueue("user")
    try Broker.shared.addUser(
      name, password: "secret", configure: pattern, write: #"^amq\.default$"#, read: pattern)
    return Broker.shared.with(url: "amqp://\(name):secret@127.0.0.1:\(Broker.shared.port)/%2f")
  }

  @Test func `uses the queue names of workq 1 and reports it once when permissions allow no others`() throws {
    let user = try user(#"^\#(queue)(\.failed|\.(retry|delay)\.[0-9]+)?$"#)
    let publish = try Program.workq("publish", "--lines", "--delay", "300ms", "-q", queue).at(user)
      .run(input: Array("1\n2\n".utf8))
    #expect(publish.status == 0, "\(publish.error)")
    #expect(publish.error.ranges(of: "using '\(queue).delay.300' as workq 1.0 does").count == 1)
    let options = ["--count", "4", "--max-attempts", "2", "--retry-delay", "300ms"]
    let work = try worker(queue, options, script: "exit 1").at(user).run()
    #expect(work.error.contains("2 scheduled for retry, 2 parked"), "\(work.error)")
    #expect(work.error.ranges(of: "using '\(queue).retry.300' as workq 1.0 does").count == 1)
    #expect(work.error.contains("grant the rights to configure and read '\(queue).retry.300ms'"))
  }

  /// The pattern is the one in the manual.
  @Test func `the permissions in the manual suffice for delayed, retried and parked tasks`() throws {
    let user = try user(
      #"^\#(queue)(\.failed|\.retry\.[0-9]+ms|\.delay\.[0-9]+ms(\.[0-9]{4}w[0-9]{2})?)?$"#)
    let publish = try Program.workq("publish", "--delay", "300ms", "-q", queue, "task").at(user).run()
    #expect(publish.status == 0, "\(publish.error)")
    #expect(publish.error == "")
    let options = ["--count", "2", "--max-attempts", "2", "--retry-delay", "300ms"]
    let work = try worker(queue, options, script: "exit 1").at(user).run()
    #expect(work.error.contains("1 scheduled for retry, 1 parked"), "\(work.error)")
    #expect(!work.error.contains("workq 1.0"), "\(work.error)")
  }

  // MARK: Status

  @Test func `status adds three lines about missing queues to the broker's log`() throws {
    try Peer.declare(queue, "{}")
    try expect(Program.workq("status", queue).run().status, equals: 0)
    func errors() throws -> Int {
      let directory = "\(Broker.shared.directory)/log"
      return try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".log") }
        .map { try String(contentsOfFile: "\(directory)/\($0)", encoding: .utf8) }
        .reduce(0) { $0 + $1.ranges(of: "no queue '\(queue)").count }
    }
    try waitUntil("the last missing queue is in the log") { try errors() >= 3 }
    try expect(errors(), equals: 3)
  }
}
