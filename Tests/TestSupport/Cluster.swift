import Foundation

/// Three private RabbitMQs that know one another; each may be stopped, frozen, killed and started again.
public struct Cluster: Sendable {
  public let nodes: [Broker]

  /// The present thread's cluster, whose nodes all run; the tests of the pool `.cluster` use it one after the other.
  ///
  /// What is left of it is ended with the test run.
  public static func get() throws -> Cluster {
    let cluster = try ofThisThread(start)
    for node in cluster.nodes { try node.recover() }
    return cluster
  }

  /// Starts another cluster, for a test that needs a fresh one and calls `end()`.
  public static func start() throws -> Cluster {
    let directory = "\(TestEnvironment.value("WORKQ_TEST_BROKERS"))/\(UUID().uuidString.prefix(8))"
    let urls = try Broker.script(["cluster", "start", directory])
      .trimmingCharacters(in: .whitespacesAndNewlines).split(separator: ",")
    let nodes = urls.enumerated().map { Broker(directory: "\(directory)/\($0 + 1)", url: String($1)) }
    return Cluster(nodes: nodes)
  }

  /// Ends all nodes: nobody needs their data any more.
  public func end() throws { for node in nodes { try node.kill() } }

  /// The nodes' URLs as `--url` wants them, the one of this number (from 0) first.
  public func urls(from first: Int) -> String {
    (nodes[first...] + nodes[..<first]).map(\.url).joined(separator: ",")
  }
}
