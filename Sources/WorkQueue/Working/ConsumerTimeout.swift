internal import AMQP

/// The broker's patience with tasks that are not acknowledged: `consumer_timeout`, which no client can ask
/// for and which closes the channel under a task that takes longer.
struct ConsumerTimeout {
  /// RabbitMQ's default.
  private(set) var limit = Duration.seconds(1800)

  /// How long after a task was handed to us people are told that it gets late.
  var warningTime: Duration { limit * 5 / 6 }

  /// Learns the broker's real patience from its words when it has lost it.
  ///
  /// - Returns: that patience; nil when the channel was closed for another reason.
  mutating func learn(from error: AMQPError) -> Duration? {
    guard error.kind == .preconditionFailed, error.detail.contains("acknowledgement"),
      let words = error.detail.firstRange(of: "Timeout value used: "),
      let milliseconds = Int64(error.detail[words.upperBound...].prefix { $0 != " " })
    else { return nil }
    limit = .milliseconds(milliseconds)
    return limit
  }
}
