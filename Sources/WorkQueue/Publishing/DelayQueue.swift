package import AMQP

/// Where tasks wait in the broker until they are due: one queue for each work queue and delay.
///
/// Its tasks expire into the work queue in the order in which they came, since all wait equally long. The
/// queue itself expires when it was not declared for longer than its tasks wait, and an hour; publishing
/// is not "use" to RabbitMQ, so whoever publishes must have declared it in the last ten minutes.
package struct DelayQueue: Equatable, Sendable {
  /// After so long a time it must be declared again before the next task.
  static let lease = Duration.seconds(600)
  private static let margin = Duration.seconds(3600)
  /// RabbitMQ's limit for both times, in milliseconds.
  private static let most = Duration.milliseconds(4_294_967_295)

  /// The longest delay that there can be.
  package static let longest = most - margin
  package static let longestInDays = Int(longest / .seconds(86_400))

  package let workQueue: String
  package let delay: Duration

  package init(for workQueue: String, delay: Duration) {
    self.workQueue = workQueue
    self.delay = delay
  }

  package var name: String { "\(workQueue).delay.\(milliseconds)" }

  package var queue: Queue {
    var queue = Queue(name: name)
    queue.arguments = [
      "x-message-ttl": .int64(milliseconds), "x-expires": .int64(milliseconds + Self.margin.milliseconds),
      "x-dead-letter-exchange": .text(""), "x-dead-letter-routing-key": .text(workQueue),
    ]
    return queue
  }

  private var milliseconds: Int64 { delay.milliseconds }
}

extension Duration {
  /// Whole milliseconds, rounded down.
  package var milliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
