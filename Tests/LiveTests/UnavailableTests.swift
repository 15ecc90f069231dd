import Foundation
import TestSupport
import Testing

/// Temporary refusals by the broker: limits, a virtual host that is down, a queue in exclusive use.
@Suite(.waiting) final class UnavailableTests {
  private let vhost = "test-\(UUID().uuidString.prefix(8))"
  private let user = "user-\(UUID().uuidString.prefix(8))"
  private let directory = FileManager.default.temporaryDirectory
    .appending(path: "workq-unavailable-\(UUID().uuidString)").path
  private let queue = freshQueue("unavailable")

  init() throws {
    try Broker.shared.addVirtualHost(vhost)
    try Broker.shared.addUser(user, password: "secret")
    try Broker.shared.setPermissions(of: user, in: vhost)
    try #require(try Program.workq("declare", queue).at(inVhost).run().status == 0)
  }

  deinit {
    try? Broker.shared.deleteVirtualHost(vhost)
    try? Broker.shared.deleteUser(user)
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// The shared broker, in this test's virtual host.
  private var inVhost: Broker {
    let url = "amqp://guest:guest@127.0.0.1:\(Broker.shared.port)/\(vhost)"
    return Broker.shared.with(url: url)
  }

  /// The same, as this test's user.
  private var asUser: Broker {
    inVhost.with(url: inVhost.url.replacing("guest:guest", with: "\(user):secret"))
  }

  private func kept() throws -> [String] {
    guard FileManager.default.fileExists(atPath: directory) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".tasks2") }
  }

  /// Checks that publish handles a refusal like a lost connection: next broker, spool, retry.
  private func checkWays(
    on broker: Broker, queue: String, status: Int32, _ reason: String, lift: () throws -> Void
  )
    throws
  {
    let refused = try Program.workq("publish", "-q", queue, "x").at(broker).run()
    #expect(refused.status == status, "\(refused.error)")
    #expect(refused.error.contains(reason), "\(refused.error)")
    #expect(refused.error.split(separator: "\n").count == 1, "\(refused.error)")
    let second = broker.with(url: "\(broker.url),\(Broker.shared.url)")
    let next = try Program.workq("publish", "-q", queue, "next").at(second).run()
    #expect(next.status == 0, "\(next.error)")
    try expect(drain(queue).map(\.text), equals: ["next"])
    let spooled = try Program.workq("publish", "--spool=\(directory)", "-q", queue, "kept").at(broker).run()
    #expect(spooled.status == 0, "\(spooled.error)")
    try expect(kept().count, equals: 1)
    let retrying = try Program.workq("publish", "--retry-for", "10m", "-q", queue, "later").at(broker).start()
    try waitUntil("publish retries (\(retrying.error))") { retrying.error.contains("trying again in") }
    try lift()
    let published = try retrying.end()
    #expect(published.status == 0, "\(published.error)")
    #expect(published.error.contains(reason), "\(published.error)")
    try expect(
      Program.workq("publish", "--flush-spool", "--spool=\(directory)").at(broker).run().status, equals: 0)
    try expect(drain(queue, at: broker).map(\.text), equals: ["later", "kept"])
  }

  @Test func `publish uses another broker, the spool or a retry at the connection limit`() throws {
    try Broker.shared.limit(virtualHost: vhost, "max-connections", to: 0)
    try checkWays(on: inVhost, queue: queue, status: 69, "connection limit (0) is reached") {
      try Broker.shared.limit(virtualHost: vhost, "max-connections", to: -1)
    }
  }

  @Test func `publish uses another broker, the spool or a retry at a user's connection limit`() throws {
    try Broker.shared.limit(user: user, "max-connections", to: 0)
    try checkWays(on: asUser, queue: queue, status: 69, "user connection limit (0) is reached") {
      try Broker.shared.limit(user: user, "max-connections", to: -1)
    }
  }

  @Test func `publish uses another broker, the spool or a retry at a user's channel limit`() throws {
    try Broker.shared.limit(user: user, "max-channels", to: 0)
    try checkWays(on: asUser, queue: queue, status: 75, "has reached the maximum allowed user limit of") {
      try Broker.shared.limit(user: user, "max-channels", to: -1)
    }
  }

  @Test func `publish uses another broker, the spool or a retry at the queue limit`() throws {
    try Broker.shared.limit(virtualHost: vhost, "max-queues", to: 1)
    let new = freshQueue("new")
    for arguments in [["work", "-q", new, "--drain", "--", "true"], ["declare", new]] {
      let refused = try Program.workq(arguments).at(inVhost).run()
      #expect(refused.status == 75, "\(refused.error)")
      #expect(refused.error.contains("queue limit in vhost '\(vhost)' (1) is reached"), "\(refused.error)")
    }
    try checkWays(on: inVhost, queue: new, status: 75, "queue limit in vhost '\(vhost)' (1) is reached") {
      try Broker.shared.limit(virtualHost: vhost, "max-queues", to: -1)
    }
  }

  @Test func `publish uses another broker, the spool or a retry when the virtual host is down`() throws {
    try Broker.shared.stopVirtualHost(vhost)
    try checkWays(on: inVhost, queue: queue, status: 69, "vhost '\(vhost)' is down") {
      try Broker.shared.startVirtualHost(vhost)
    }
  }

  @Test(arguments: [["status"], ["peek"], ["work", "--drain", "--", "true"], ["purge", "--force"]])
  func `status, peek, work and purge exit with 69 at the connection limit`(command: [String]) throws {
    try Broker.shared.limit(virtualHost: vhost, "max-connections", to: 0)
    let options = ["-q", queue]
    let arguments = command.prefix(1) + options + command.dropFirst()
    let result = try Program.workq(Array(arguments)).at(inVhost).run()
    #expect(result.status == 69, "\(result.error)")
    #expect(result.error.contains("connection limit (0) is reached"), "\(result.error)")
  }

  @Test func `a worker consumes again when its virtual host is restarted`() throws {
    let worker = try Program.workq("work", "-q", queue, "--", "cat").at(inVhost).start()
    try worker.waitForError("waiting for tasks")
    try Broker.shared.stopVirtualHost(vhost)
    try waitUntil("error reported (\(worker.error))") { worker.error.contains("vhost '\(vhost)' is down") }
    try Broker.shared.startVirtualHost(vhost)
    try waitUntil("the worker consumes again (\(worker.error))") {
      try consumers(of: queue, at: inVhost) == 1
    }
    try expect(Program.workq("publish", "-q", queue, "after").at(inVhost).run().status, equals: 0)
    try worker.waitForOutput("after")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `a worker waits for a queue in exclusive use only with --retry-for`() throws {
    let script = """
      import os, sys, pika
      channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
      channel.basic_consume(sys.argv[1], lambda *_: None, exclusive=True)
      print("ready", flush=True)
      channel.start_consuming()
      """
    let holder = try Program("/usr/bin/python3", ["-c", script, queue]).at(inVhost).start()
    try holder.waitForOutput("ready")
    let refused = try Program.workq("work", "-q", queue, "--drain", "--", "true").at(inVhost).run()
    #expect(refused.status == 75, "\(refused.error)")
    #expect(refused.error.contains("in exclusive use"), "\(refused.error)")
    let worker = try Program.workq("work", "-q", queue, "--retry-for", "10m", "--", "cat").at(inVhost).start()
    try waitUntil("the worker retries (\(worker.error))") { worker.error.contains("trying again in") }
    holder.signal(SIGKILL)
    _ = try holder.end()
    try expect(Program.workq("publish", "-q", queue, "mine").at(inVhost).run().status, equals: 0)
    try worker.waitForOutput("mine")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `publish exits with 77 despite --retry-for and --spool when a permission is missing`() throws {
    try Broker.shared.setPermissions(of: user, configure: "^$", write: "^$", read: "^$", in: vhost)
    let options = ["--retry-for", "60s", "--spool=\(directory)"]
    let publish = try Program.workq(["publish", "-q", queue, "x"] + options).at(asUser).run()
    #expect(publish.status == 77, "\(publish.error)")
    try expect(kept(), equals: [])
  }
}
