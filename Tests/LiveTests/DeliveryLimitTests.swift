import Foundation
import TestSupport
import Testing

/// The delivery limit of quorum queues loses no task, and tasks that never ran are not parked.
///
/// From RabbitMQ 4.0 on, a quorum queue drops or dead-letters a task at 20 returns by default.
@Suite(.waiting) struct DeliveryLimitTests {
  private func quorumQueue(_ tasks: [String], _ name: String = #function) throws -> String {
    let queue = freshQueue(name)
    try Peer.declare(queue, #"{"x-queue-type":"quorum"}"#)
    try publish(tasks, to: queue)
    return queue
  }

  private func isMissing(_ queue: String) throws -> Bool {
    try Program.workq("declare", "--check", queue).run().status == 78
  }

  @Test
  func `parks a task that repeatedly kills its worker, and completes the other tasks`() throws {
    let queue = try quorumQueue(["killer", "innocent 1", "innocent 2", "innocent 3"])
    let script = "read t; [ \"$t\" = killer ] && kill -9 $PPID && sleep 1; echo \"$t\""
    let options = ["--max-attempts", "0", "--prefetch", "5", "--drain"]
    var (kills, done): (Int, [String]) = (0, [])
    var last: Program.Result
    repeat {
      last = try worker(queue, options, script: script).run()
      done += last.outputLines.filter { $0 != "killer" }
      kills += last.status == 137 ? 1 : 0
    } while last.status == 137 && kills < 40
    #expect(last.status == 1)
    #expect(last.error.contains("its workers died: 5 recorded starts without an end"))
    // Starts are recorded after ten returns, and five are allowed. A killed worker may lose an ack.
    #expect((15...20).contains(kills))
    #expect(Set(done) == ["innocent 1", "innocent 2", "innocent 3"])
    let parked = try drain("\(queue).failed")
    #expect(Set(parked.map(\.text)) == ["killer"])
    let headers = parked.first?.properties["headers"] as? [String: Any]
    #expect(headers?["x-workq-starts"] as? Int == 5)
    #expect(headers?["x-workq-attempts"] as? Int == 5)
    #expect(headers?["x-delivery-count"] == nil)
  }

  @Test func `loses none of 30 prefetched tasks when the worker is stopped 24 times`() throws {
    let tasks = (1...30).map { "\($0)" }
    let queue = try quorumQueue(tasks)
    for _ in 0..<24 {
      let worker = try worker(queue, ["-v", "--prefetch", "30", "--grace", "50ms"], script: "exec sleep 60")
        .start()
      try worker.waitForStart(of: 1)
      worker.signal(SIGTERM)
      let result = try worker.end()
      #expect(result.status == 0)
    }
    let rest = try worker(queue, ["--drain", "--prefetch", "30"], script: "cat; echo").run()
    #expect(rest.status == 0)
    #expect(rest.outputLines.sorted() == tasks.sorted())
    #expect(try isMissing("\(queue).failed"))
  }

  @Test func `completes 5 prefetched tasks and parks none when the connection is cut 16 times`() throws {
    let tasks = (1...5).map { "\($0)" }
    let queue = try quorumQueue(tasks)
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let gate = try TemporaryFile("")
    let script = "read t; while [ -e '\(gate.path)' ]; do sleep 0.1; done; echo $t"
    // Unlimited: all five, and the duplicates of those being replaced when the connection was cut.
    let worker = try worker(queue, ["-v", "--prefetch", "0"], script: script)
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForStart(of: 1)
    for cut in 1...16 {
      proxy.cut()
      try waitUntil("the worker has reconnected \(cut) times") {
        worker.error.ranges(of: "connected again").count >= cut
      }
      try waitUntil("the tasks are delivered") { try waiting(in: queue) == 0 }
    }
    try FileManager.default.removeItem(atPath: gate.path)
    try waitUntil("all are done") { Set(worker.output.split(separator: "\n").map(String.init)) == Set(tasks) }
    try waitUntil("the queue is empty") { try waiting(in: queue) == 0 }
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(!result.error.contains("parked"))
    #expect(try isMissing("\(queue).failed"))
  }

  @Test func `loses no task that is requeued 30 times`() throws {
    let queue = try quorumQueue(["a", "b", "c"])
    let log = try TemporaryFile("")
    let script = "read t; echo $t >> '\(log.path)'; [ $(grep -c $t '\(log.path)') -gt 30 ] && echo $t"
    let options = ["--on-failure", "requeue", "--max-attempts", "0", "--drain"]
    let result = try worker(queue, options, script: script).run()
    #expect(result.status == 0)
    #expect(result.outputLines.sorted() == ["a", "b", "c"])
    try expectWaiting(in: queue, equals: 0)
    #expect(try isMissing("\(queue).failed"))
  }

  @Test(arguments: ["classic", "quorum"]) func `counts the attempts of a task that is requeued`(
    type: String
  ) throws {
    let queue = freshQueue()
    try Peer.declare(queue, #"{"x-queue-type":"\#(type)"}"#)
    try publish(["task"], to: queue)
    let options = ["--on-failure", "requeue", "--max-attempts", "3", "--drain"]
    let result = try worker(queue, options, script: "echo $WORKQ_ATTEMPT; exit 1").run()
    #expect(result.outputLines == ["1", "2", "3"])
    #expect(result.status == 1)
    let parked = try #require(try SeenMessage.take(from: "\(queue).failed"))
    #expect(parked.headers["x-workq-attempts"] as? Int == 3)
  }

  @Test func `loses no task when 24 peeks and 24 moves return it to the queue`() throws {
    let tasks = (1...20).map { "\($0)" }
    let queue = try quorumQueue(tasks)
    let other = freshQueue()
    try Peer.declare(other, "{}")
    var notes = ""
    for _ in 0..<24 {
      let look = try Program.workq("peek", "-c", "100", "--json", queue).run()
      #expect(look.outputLines.count == tasks.count)
      let move = try Program.workq("move", "--match", "no=one", queue, other).run()
      #expect(move.output == "\(queue) -> \(other): 0 moved, 20 left\n")
      notes += look.error + move.error
    }
    // Only these versions drop a task that was returned 20 times, and count a peek as a return.
    let version = try Broker.shared.version
    let isReplaced = version >= RabbitMQVersion(4, 0) && version < RabbitMQVersion(4, 3)
    #expect(notes.contains("returned to '\(queue)' often: a copy") == isReplaced)
    let rest = try worker(queue, ["--drain"], script: "cat; echo").run()
    #expect(rest.outputLines.sorted() == tasks.sorted())
    #expect(rest.status == 0)
  }

  @Test func `runs a task that was returned often when the user may not publish a copy of it`() throws {
    let queue = try quorumQueue(["task"])
    let options = ["--on-failure", "requeue", "--max-attempts", "0", "--count", "10"]
    try expect(worker(queue, options, script: "exit 1").run().status, equals: 0)
    try waitUntil("the task is requeued") { try waiting(in: queue) == 1 }
    let user = "reader-\(UUID().uuidString.prefix(8))"
    try Broker.shared.addUser(user, password: "secret", write: "^$")
    defer { try? Broker.shared.deleteUser(user) }
    let reader = Broker.shared.with(
      url: Broker.shared.url.replacing("guest:guest@", with: "\(user):secret@"))
    let result = try worker(queue, ["--drain"], script: "cat; echo").at(reader).run()
    #expect(result.error.contains("cannot replace a task that was returned often by a copy"))
    #expect(result.status == 0)
    #expect(result.output == "task\n")
    try expectWaiting(in: queue, equals: 0)
  }
}
