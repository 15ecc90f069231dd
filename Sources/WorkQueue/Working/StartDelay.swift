internal import AMQP

/// The delay before a resident command is started again that has exited before its first result, and the limit on
/// such exits in a row.
struct StartDelay {
  private static let first = Duration.milliseconds(100)
  private static let longest = Duration.seconds(30)
  private static let mostFailures = 5

  /// Counts failures; those of processes that were started together count as one.
  private(set) var round = 0
  private(set) var failures = 0
  /// When the next process may be started.
  private(set) var end = Deadline.now

  /// Whether the command has failed too many times to be started again.
  var isExhausted: Bool { failures >= Self.mostFailures }

  mutating func reset() {
    failures = 0
  }

  /// A process of this round has failed.
  ///
  /// - Returns: the delay before the next start, zero when there is none; nil when another process of its round has
  ///   failed before.
  mutating func failed(in round: Int, _ now: Deadline) -> Duration? {
    guard round == self.round else { return nil }
    (self.round, failures) = (round + 1, failures + 1)
    guard !isExhausted else { return .zero }
    let delay = min(Self.first * (1 << (failures - 1)), Self.longest)
    end = now + delay
    return delay
  }
}
