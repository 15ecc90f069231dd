import Foundation
import TestSupport
import Testing

/// A retried or delayed task is not lost when the work queue cannot accept it.
@Suite(.waiting) struct LastHopTests {
  private let broker = Broker.shared
  private let queue = freshQueue("hop")
  /// The retry delay of a failed task.
  private static let delay = Duration.seconds(1)
  /// A delay that is long enough to fill or delete the work queue before the task is due.
  private static let longDelay = Duration.seconds(8)

  init() throws {
    try broker.retryDeadLettersOften()
  }

  private func declare(_ options: String...) throws {
    let result = try Program.workq(["declare", queue] + options).at(broker).run()
    #expect(result.status == 0, "\(result.error)")
  }

  /// Publishes tasks and has a worker fail each of them, so that all of them are scheduled for retry.
  private func fail(_ tasks: [String], delay: Duration = Self.delay) throws {
    try publish(tasks, to: queue, at: broker)
    let options = ["--count", "\(tasks.count)", "--retry-delay", "\(delay.components.seconds)s"]
    let result = try worker(queue, options, script: "exit 1").at(broker).run()
    #expect(result.error.contains("\(tasks.count) scheduled for retry"), "\(result.error)")
  }

  /// Waits until all tasks in a retry or delay queue are due.
  private func waitUntilDue(_ waitingQueue: String) throws {
    try waitUntil("all tasks are due") { try waiting(in: waitingQueue, at: broker) == 0 }
  }

  /// Runs a worker until every task is done.
  private func work(until tasks: [String]) throws {
    let worker = try worker(queue, script: "cat; echo").at(broker).start()
    try waitUntil("all tasks are done (\(worker.output))") {
      Set(worker.output.split(separator: "\n").map(String.init)) == Set(tasks)
    }
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test(arguments: ["classic", "quorum"])
  func `retried tasks are delivered later when the work queue is full and rejects`(type: String) throws {
    try declare("--type", type, "--max-length", "4", "--overflow", "reject-publish")
    let (failing, filling) = (["f1", "f2", "f3", "f4"], ["x1", "x2", "x3", "x4"])
    // The queue is full before the first retry is due.
    try fail(failing, delay: Self.longDelay)
    try publish(filling, to: queue, at: broker)
    try waitUntilDue(retryQueue(of: queue, after: Self.longDelay))
    try work(until: failing + filling)
  }

  @Test(arguments: ["classic", "quorum"])
  func `delayed tasks are delivered later when the work queue is full and rejects`(type: String) throws {
    try declare("--type", type, "--max-length", "2", "--overflow", "reject-publish")
    let tasks = (1...6).map(String.init)
    let lines = Array((tasks.joined(separator: "\n") + "\n").utf8)
    let delay = ["publish", "--delay", "500ms", "--lines", "-q", queue]
    try expect(Program.workq(delay).at(broker).run(input: lines).status, equals: 0)
    try waitUntilDue(delayQueue(of: queue, by: .milliseconds(500)))
    try work(until: tasks)
  }

  @Test(arguments: ["classic", "quorum"])
  func `retried tasks are delivered when the deleted work queue is declared again`(type: String) throws {
    try declare("--type", type)
    try fail(["1", "2", "3"], delay: Self.longDelay)
    // A retry that has reached the queue already would be deleted with it.
    try expect(Peer.delete(queue, at: broker), equals: 0)
    try waitUntilDue(retryQueue(of: queue, after: Self.longDelay))
    try declare("--type", type)
    try work(until: ["1", "2", "3"])
  }

  @Test func `a delayed task is delivered when the expired work queue is declared again`() throws {
    // A publish that found the queue expired would declare it again.
    try declare("--expires", "3s")
    let publish = Program.workq("publish", "--delay", "6s", "-q", queue, "task").at(broker)
    try expect(publish.run().status, equals: 0)
    // Not by AMQP: from RabbitMQ 4 on, a passive declare counts as use of the queue.
    try waitUntil("the queue has expired") { try broker.queueTypes()[queue] == nil }
    try waitUntilDue(delayQueue(of: queue, by: .seconds(6)))
    try declare()
    try work(until: ["task"])
  }

  @Test func `delay, retry and failed queues are quorum queues when the vhost's default is quorum`() throws {
    let host = freshQueue("host")
    try broker.addVirtualHost(host, defaultQueueType: "quorum")
    let there = broker.with(url: broker.url.replacing("%2f", with: host))
    let publish = Program.workq("publish", "--delay", "300ms", "-q", queue, "task").at(there)
    try expect(publish.run().status, equals: 0)
    let options = ["--count", "2", "--max-attempts", "2", "--retry-delay", "300ms"]
    let result = try worker(queue, options, script: "exit 1").at(there).run()
    #expect(result.error.contains("1 scheduled for retry, 1 parked"), "\(result.error)")
    let types = try broker.queueTypes(in: host)
    let names = [
      delayQueue(of: queue, by: .milliseconds(300)), retryQueue(of: queue, after: .milliseconds(300)),
      "\(queue).failed",
    ]
    for name in names { #expect(types[name] == "quorum", "\(types)") }
  }

  /// This is why each week has its own delay queue: clients cannot renew the queue's expiry.
  @Test func `a quorum queue expires with its tasks although clients declare it and publish to it`() throws {
    let arguments = #"{"x-queue-type": "quorum", "x-expires": 2000, "x-message-ttl": 3600000}"#
    let name = "\(queue).short"
    var confirmed = 0
    try waitUntil("the queue has expired with tasks in it") {
      try Peer.declare(name, arguments, at: broker)
      let publish = try Program.workq("publish", "--no-declare", "-q", name, "task").at(broker).run()
      if publish.status == 0 { confirmed += 1 }
      // Either the queue is missing now, or it was, and the last declare has created an empty one.
      let look = try Program.workq("declare", "--check", "--json", name).at(broker).run()
      return look.status == 78 || !look.output.contains(#""waiting":\#(confirmed)}"#)
    }
    #expect(confirmed > 0)
  }
}
