internal import AMQP

/// How long the start of a resident command waits when it ends before its first result, and how often in a row that
/// may be.
struct StartDelay {
  private static let first = Duration.milliseconds(100)
  private static let longest = Duration.seconds(30)
  private static let mostFailures = 5

  /// Counts the failures for good; those of processes that were started together are one.
  private(set) var round = 0
  private(set) var failures = 0
  /// When the next process may be started.
  private(set) var end = Deadline.now

  /// Whether the command has failed too many times to be started again.
  var isExhausted: Bool { failures >= Self.mostFailures }

  mutating func reset() {
    failures = 0
  }

  /// A process has failed that was started in this round.
  ///
  /// - Returns: how long the next start waits, zero when there is none; nil when another of its round has failed before.
  mutating func failed(in round: Int, _ now: Deadline) -> Duration? {
    guard round == self.round else { return nil }
    (self.round, failures) = (round + 1, failures + 1)
    guard !isExhausted else { return .zero }
    let delay = min(Self.first * (1 << (failures - 1)), Self.longest)
    end = now + delay
    return delay
  }
}
