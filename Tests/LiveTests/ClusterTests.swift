import Foundation
import TestSupport
import Testing

/// Queues on a three-node cluster of which nodes are stopped and killed.
@Suite(.cluster) struct ClusterTests {
  private static let count = TestEnvironment.count("CLUSTER_TASKS", 20_000)

  @Test func `the workers complete every confirmed task when cluster nodes are stopped and killed`() throws {
    let (cluster, queue) = (try Cluster.get(), freshQueue())
    let nodes = cluster.nodes
    try expect(Program.workq("declare", "--type", "quorum", queue).at(nodes[0]).run().status, equals: 0)
    let workers = try (0..<3).map { number in
      try Program.workq(
        "work", "--fake", "-q", queue, "--json", "--prefetch", "50", "--heartbeat", "5s", "-u",
        cluster.urls(from: number)
      ).start()
    }
    for worker in workers { try worker.waitForOutput(#""event":"consuming""#) }
    let script = "exec \"$0\" publish -l --print-id --retry-for 10m -q \"$1\" -u \"$2\" <\"$3\""
    let pipe = try NamedPipe()
    let publisher = try shell(script, queue, cluster.urls(from: 0), pipe.path).start()

    // A fifth of the tasks is sent just before each fault.
    var sent = 0
    func send() throws {
      let part = sent..<sent + Self.count / 5
      sent = part.upperBound
      try pipe.write(part.map { "\($0)\n" }.joined())
    }
    func waitUntilConfirmed(_ tenths: Int) throws {
      let count = Self.count * tenths / 10
      // On a busy machine a leader election takes minutes, and the publisher's back-off grows.
      try waitUntil("\(count) tasks are confirmed (\(publisher.error))", within: 600) {
        confirmed(by: publisher) >= count
      }
    }
    try send()
    try waitUntilConfirmed(1)
    try expect(nodes[1].leader(ofQueue: queue), equals: "workq\(nodes[0].port)@localhost")
    try send()
    try nodes[0].stop()
    try waitUntilConfirmed(3)
    try send()
    try waitUntilConfirmed(5)
    try send()
    try nodes[1].kill()  // one of three nodes is left: without a majority nothing is confirmed
    try nodes[1].restart()
    try waitUntilConfirmed(7)
    try send()
    try nodes[0].restart()
    try pipe.close()

    let result = try publisher.end(within: 600)
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("are sent again"), "\(result.error)")
    let ids = Set(result.outputLines)
    #expect(ids.count == Self.count)
    try waitUntil("all tasks are done") { try Set(workers.flatMap(done)).count >= Self.count }
    for worker in workers { worker.signal(SIGTERM) }
    for worker in workers { try expect(worker.end().status, equals: 0, "\(worker.output.suffix(2000))") }
    let all = try workers.flatMap(done)
    #expect(ids.subtracting(all).isEmpty, "a confirmed task is lost")
    #expect(Set(all).count == Self.count)
    // The third worker's own node was never down.
    for worker in workers[..<2] { #expect(worker.output.contains(#""event":"reconnected""#)) }
    try waitUntil("the queue is empty") { try waiting(in: queue, at: nodes[2]) == 0 }
    print("\(all.count - Self.count) of \(Self.count) tasks were done twice")
  }

  /// RabbitMQ 3.10 rejects every task on a channel whose first task found the queue without a leader.
  ///
  /// The cluster is fresh: in one whose nodes had been restarted, 3.10 elected no leader in one of six runs.
  @Test func `publish --retry-for succeeds when the quorum queue has a leader again`() throws {
    let (cluster, queue) = (try Cluster.start(), freshQueue())
    defer { _ = try? cluster.end() }
    let nodes = cluster.nodes
    try expect(Program.workq("declare", "--type", "quorum", queue).at(nodes[0]).run().status, equals: 0)
    try waitUntil("node 1 leads") { try nodes[0].leader(ofQueue: queue) == "workq\(nodes[0].port)@localhost" }
    // Node 2 alone cannot elect a leader.
    try nodes[2].freeze()
    try nodes[0].stop()
    let options = ["--retry-for", "10m", "--confirm-timeout", "5s", "-q", queue, "task"]
    let publisher = try Program.workq(["publish"] + options).at(nodes[1]).start()
    try publisher.waitForError("again")
    try nodes[2].thaw()
    let result = try publisher.end(within: 240)
    #expect(result.status == 0, "\(result.error)")
    // RabbitMQ 4.3 delays the task instead of rejecting it, so it may arrive twice.
    try waitUntil("the task arrives") { try waiting(in: queue, at: nodes[1]) >= 1 }
  }

  /// RabbitMQ 4.3 nacks the task; older versions return it.
  @Test func `exits with 75 while a classic queue's node is down, and publishes after its restart`() throws {
    let (cluster, queue) = (try Cluster.get(), freshQueue())
    let (home, other) = (cluster.nodes[0], cluster.nodes[1])
    let spool = FileManager.default.temporaryDirectory.appending(path: "workq-home-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: spool) }
    try expect(Program.workq("declare", queue).at(home).run().status, equals: 0)
    let worker = try Program.workq("work", "-q", queue, "--count", "4", "--", "cat").at(other).start()
    try waitUntil("the worker consumes") { try consumers(of: queue, at: other) == 1 }
    try home.stop()
    let both = other.with(url: "\(other.url),\(cluster.nodes[2].url)")
    for (broker, options) in [(other, []), (both, []), (other, ["--no-declare"])] {
      let publish = try Program.workq(["publish", "-q", queue, "x"] + options).at(broker).run()
      #expect(publish.status == 75, "\(publish.error)")
      #expect(publish.error.contains("NOT_FOUND - "), "\(publish.error)")
    }
    for subcommand in ["status", "peek", "declare"] {
      let result = try Program.workq(subcommand, queue).at(other).run()
      #expect(result.status == 75, "\(subcommand): \(result.error)")
    }
    let many = Array((1...3).map { "\($0)\n" }.joined().utf8)
    let kept = try Program.workq("publish", "-l", "--spool=\(spool)", "-q", queue).at(other).run(input: many)
    #expect(kept.status == 0, "\(kept.error)")
    let retrying = try Program.workq("publish", "--retry-for", "10m", "-q", queue, "4").at(both).start()
    try waitUntil("the publisher retries (\(retrying.error))") { retrying.error.contains("trying again") }
    try home.restart()
    let published = try retrying.end()
    #expect(published.status == 0, "\(published.error)")
    let flush = try Program.workq("publish", "--flush-spool", "--spool=\(spool)").at(other).run()
    #expect(flush.status == 0, "\(flush.error)")
    let done = try worker.end()
    #expect(done.status == 0, "\(done.error)")
    #expect(Set(done.output) == Set("1234"))
  }

  private func confirmed(by publisher: RunningProgram) -> Int { publisher.output.utf8.count / 37 }

  /// The ids of the tasks that a worker has completed, including stale ones, which the broker redelivers.
  private func done(by worker: RunningProgram) throws -> [String] {
    try worker.output.split(separator: "\n").compactMap { line in
      guard line.contains(#""event":"done"#) || line.contains(#""event":"stale"#) else { return nil }
      let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return event?["message_id"] as? String
    }
  }
}
