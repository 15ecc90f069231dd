import Foundation
import TestSupport
import Testing

/// What a quorum queue counts, and drops or dead-letters at 20 from RabbitMQ 4.0 on, costs no task; and what
/// never ran is not parked.
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
  func `parks a task when it has killed its workers, and no other with it`() throws {
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
    // Ten returns make it suspicious; five starts are recorded then. An acknowledgement may die with a worker.
    #expect((15...20).contains(kills))
    #expect(Set(done) == ["innocent 1", "innocent 2", "innocent 3"])
    let parked = try drain("\(queue).failed")
    #expect(Set(parked.map(\.text)) == ["killer"])
    let headers = parked.first?.properties["headers"] as? [String: Any]
    #expect(headers?["x-workq-starts"] as? Int == 5)
    #expect(headers?["x-workq-attempts"] as? Int == 5)
    #expect(headers?["x-delivery-count"] == nil)
  }

  @Test func `loses none of 30 prefetched tasks in 24 stops`() throws {
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

  @Test func `parks none of 5 prefetched tasks when 16 connections are cut`() throws {
    let tasks = (1...5).map { "\($0)" }
    let queue = try quorumQueue(tasks)
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let gate = try TemporaryFile("")
    let script = "read t; while [ -e '\(gate.path)' ]; do sleep 0.1; done; echo $t"
    // All five, and the second copies of those that were being replaced when the connection was cut.
    let worker = try worker(queue, ["-v", "--prefetch", "0"], script: script)
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForStart(of: 1)
    for cut in 1...16 {
      proxy.cut()
      try waitUntil("it has connected \(cut) times") {
        worker.error.ranges(of: "connected again").count >= cut
      }
      try waitUntil("the tasks are with it") { try waiting(in: queue) == 0 }
    }
    try FileManager.default.removeItem(atPath: gate.path)
    try waitUntil("all are done") { Set(worker.output.split(separator: "\n").map(String.init)) == Set(tasks) }
    try waitUntil("nothing is left") { try waiting(in: queue) == 0 }
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

  @Test func `loses no task to 24 looks and 24 moves that leave it`() throws {
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
    // Only these drop a task that was returned 20 times, and count looks.
    let version = try Broker.shared.version
    let isReplaced = version >= RabbitMQVersion(4, 0) && version < RabbitMQVersion(4, 3)
    #expect(notes.contains("returned to '\(queue)' often: a copy") == isReplaced)
    let rest = try worker(queue, ["--drain"], script: "cat; echo").run()
    #expect(rest.outputLines.sorted() == tasks.sorted())
    #expect(rest.status == 0)
  }

  @Test func `runs a task that cannot be replaced, because the user may not publish`() throws {
    let queue = try quorumQueue(["task"])
    let options = ["--on-failure", "requeue", "--max-attempts", "0", "--count", "10"]
    try expect(worker(queue, options, script: "exit 1").run().status, equals: 0)
    try waitUntil("the task is back") { try waiting(in: queue) == 1 }
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
