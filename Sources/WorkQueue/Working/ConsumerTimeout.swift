internal import AMQP

/// How long the broker lets a worker hold a task: `consumer_timeout`.
///
/// From RabbitMQ 4.3 on a consumer can request it, and a quorum queue cancels the consumer when a task takes longer.
/// Before that a client cannot request it, and the broker closes the channel.
package struct ConsumerTimeout {
  /// RabbitMQ's default.
  static let usual = Duration.seconds(1800)
  private static let longest = Duration.seconds(86_400)
  /// A margin for a busy broker or worker.
  private static let shortest = Duration.seconds(10)

  private(set) var limit = usual {
    didSet { warningTime = limit * 5 / 6 }
  }
  /// How long after a task's delivery a warning is reported.
  private(set) var warningTime = usual * 5 / 6
  /// Whether the broker has refused the request for this queue, as RabbitMQ 4.3 does for a classic queue, which has
  /// no limit.
  private(set) var isRefused = false

  /// The limit from the broker's reason for closing the channel.
  package enum Cause: Equatable, Sendable {
    case limit(Duration)
    /// Unknown: the consumer was cancelled before (RabbitMQ 4.3 sends "-1 ms").
    case unknownLimit
  }

  /// Notes the timeout that the broker has accepted; nil when it has refused the request.
  mutating func asked(for limit: Duration?) {
    isRefused = limit == nil
    self.limit = limit ?? Self.longest
  }

  /// Learns the broker's limit from its reason for closing the channel.
  ///
  /// - Returns: nil when the channel was closed for another reason.
  mutating func learn(from error: AMQPError) -> Cause? {
    guard error.kind == .preconditionFailed, error.detail.contains("acknowledgement"),
      let label = error.detail.firstRange(of: "Timeout value used: "),
      let milliseconds = Int64(error.detail[label.upperBound...].prefix { $0 != " " })
    else { return nil }
    guard milliseconds >= 0 else { return .unknownLimit }
    limit = .milliseconds(milliseconds)
    return .limit(limit)
  }

  /// The longest time from a task's delivery to its acknowledgement when commands are limited to `timeout`: tasks
  /// that were prefetched before it run first.
  ///
  /// At most a day, which is also the result without a time limit.
  static func needed(timeout: Duration?, killAfter: Duration, prefetch: Int, jobs: Int) -> Duration {
    guard let timeout, prefetch > 0 else { return longest }
    let rounds = (prefetch + jobs - 1) / jobs + 1
    // Limited before the multiplication, so that it cannot overflow.
    let each = min(timeout, longest) + min(killAfter, longest)
    return min(max(each * rounds, shortest), longest)
  }
}
