import Foundation
import TestSupport
import Testing

/// Retries that the quorum queue itself delays (RabbitMQ 4.3 and later).
@Suite(.waiting) struct BrokerRetryTests {
  private static func canDelay() throws -> Bool { try Broker.shared.version >= RabbitMQVersion(4, 3) }

  private func queue() throws -> String {
    let queue = freshQueue()
    let options = ["--type", "quorum", "--retry-delay", "300ms", "--retry-max-delay", "1s"]
    try expect(Program.workq(["declare", queue] + options).run().status, equals: 0)
    return queue
  }

  @Test(.enabled(if: try canDelay(), "RabbitMQ 4.3 came with delayed retries"))
  func `the worker has the broker delay retries, counts attempts and parks the task after the last`() throws {
    let queue = try queue()
    try publish(["task"], to: queue)
    let start = Date.now
    let options = ["--retry-by", "broker", "--max-attempts", "3", "--idle-timeout", "10s"]
    let result = try worker(queue, options, script: "echo $WORKQ_ATTEMPT; exit 1").run()
    #expect(result.status == 1)
    #expect(result.outputLines == ["1", "2", "3"])
    #expect(result.error.contains("attempt 1 of 3 failed: exit status 1"), "\(result.error)")
    #expect(result.error.contains("; retried by the broker"), "\(result.error)")
    // 300 ms after the first failure, and 600 ms after the second.
    #expect(Date.now.timeIntervalSince(start) >= 0.9)
    let parked = try #require(try SeenMessage.take(from: "\(queue).failed"))
    #expect(parked.headers["x-workq-attempts"] as? Int == 3)
    let copies = retryQueue(of: queue, after: .seconds(10))
    try expect(Program.workq("declare", "--check", copies).run().status, equals: 78)
  }

  @Test(.enabled(if: try !canDelay(), "RabbitMQ 4.3 has delayed retries"))
  func `the worker refuses --retry-by broker when RabbitMQ is too old`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue, "--type", "quorum").run().status, equals: 0)
    let result = try worker(queue, ["--retry-by", "broker", "--drain"], script: "exit 1").run()
    #expect(result.status == 78)
    #expect(result.error.contains("--retry-by broker needs RabbitMQ 4.3, this is RabbitMQ "))
  }

  @Test(.enabled(if: try canDelay(), "RabbitMQ 4.3 came with delayed retries"), arguments: ["classic", nil])
  func `the worker refuses --retry-by broker when the queue is not a quorum queue`(type: String?) throws {
    let queue = freshQueue()
    if let type { try expect(Program.workq("declare", queue, "--type", type).run().status, equals: 0) }
    let result = try worker(queue, ["--retry-by", "broker", "--drain"], script: "exit 1").run()
    #expect(result.status == 78)
    let advice = "(workq declare \(queue) --type quorum --retry-delay 10s)"
    #expect(result.error.contains(advice), "\(result.error)")
  }

  @Test(.enabled(if: try !canDelay(), "RabbitMQ 4.3 has delayed retries"))
  func `declare reports that an older RabbitMQ version ignores --retry-delay`() throws {
    let options = ["--type", "quorum", "--dead-letter", "--retry-delay", "10s"]
    let result = try Program.workq(["declare", freshQueue()] + options).run()
    #expect(result.status == 0)
    #expect(result.error.contains(" ignores --retry-delay: it came with 4.3"))
  }
}
