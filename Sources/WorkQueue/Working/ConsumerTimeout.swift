internal import AMQP

/// How long the broker lets a worker hold a task: `consumer_timeout`.
///
/// From RabbitMQ 4.3 on a consumer asks for it, and a quorum queue cancels the consumer when a task takes
/// longer; before that a client cannot ask, and the broker closes the channel.
package struct ConsumerTimeout {
  /// RabbitMQ's default.
  static let usual = Duration.seconds(1800)
  private static let longest = Duration.seconds(86_400)
  /// A broker that is busy, or a worker that is, needs some time, too.
  private static let shortest = Duration.seconds(10)

  private(set) var limit = usual {
    didSet { warningTime = limit * 5 / 6 }
  }
  /// How long after a task was handed to us people are told that it gets late.
  private(set) var warningTime = usual * 5 / 6
  /// Whether the broker has refused to be asked for this queue, as RabbitMQ 4.3 does for a classic one, which
  /// has no limit.
  private(set) var isRefused = false

  /// What the broker says of the limit when it closes the channel.
  package enum Cause: Equatable, Sendable {
    case limit(Duration)
    /// It does not tell: the consumer was cancelled before (RabbitMQ 4.3 says "-1 ms").
    case unknownLimit
  }

  /// Notes what the broker was asked for and heeds; nil when it would not be asked.
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

  /// How long a task may be in the worker, from its delivery to its acknowledgement, when commands are ended
  /// after `timeout`: those that were prefetched before it come first.
  ///
  /// A day without a time limit, and at most.
  static func needed(timeout: Duration?, killAfter: Duration, prefetch: Int, jobs: Int) -> Duration {
    guard let timeout, prefetch > 0 else { return longest }
    let rounds = (prefetch + jobs - 1) / jobs + 1
    // Before it is multiplied, so that no duration is too large for it.
    let each = min(timeout, longest) + min(killAfter, longest)
    return min(max(each * rounds, shortest), longest)
  }
}
