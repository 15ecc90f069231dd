import Foundation
import TestSupport
import Testing

/// A three-node cluster in which a node is down when retries are due.
@Suite(.cluster) struct ClusterRetryTests {
  private let tasks = ["1", "2", "3"]

  private func fail(_ queue: String, at node: Broker) throws {
    try publish(tasks, to: queue, at: node)
    let options = ["--count", "\(tasks.count)", "--retry-delay", "5s"]
    let result = try worker(queue, options, script: "exit 1").at(node).run()
    #expect(result.error.contains("3 scheduled for retry"), "\(result.error)")
  }

  private func work(on queue: String, at node: Broker) throws {
    let worker = try worker(queue, script: "cat; echo").at(node).start()
    try waitUntil("all tasks are done (\(worker.output + worker.error))") {
      Set(worker.output.split(separator: "\n").map(String.init)) == Set(tasks)
    }
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `no retry is lost when the work queue's node or the retry queue's leader is down`() throws {
    let (cluster, classic, quorum) = (try Cluster.get(), freshQueue("classic"), freshQueue("quorum"))
    let nodes = cluster.nodes
    for node in nodes { try node.retryDeadLettersOften() }
    // The work queue is on the node that is killed. Its retry queue's leader is on another node.
    try expect(Program.workq("declare", classic, "--type", "classic").at(nodes[2]).run().status, equals: 0)
    try fail(classic, at: nodes[0])
    // The work queue is replicated. Its retry queue's leader is on the node that is killed.
    try expect(Program.workq("declare", quorum, "--type", "quorum").at(nodes[0]).run().status, equals: 0)
    try fail(quorum, at: nodes[2])
    try nodes[2].kill()
    try work(on: quorum, at: nodes[0])
    let retry = retryQueue(of: classic, after: .seconds(5))
    try waitUntil("the other retries are due") { try waiting(in: retry, at: nodes[0]) == 0 }
    try nodes[2].restart()
    try work(on: classic, at: nodes[0])
  }
}
