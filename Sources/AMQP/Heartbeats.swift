/// When to send a heartbeat, and when the other side counts as dead.
///
/// rabbitmq-c's own heartbeats would be written into the middle of a frame that is half sent.
struct Heartbeats {
  /// Half of the interval, so that one that is late does no harm.
  private let half: Duration
  private let double: Duration
  private var lastSent = Deadline.now
  private var lastReceived = Deadline.now

  /// Starts to count; nil when there are no heartbeats.
  init?(every interval: Duration?) {
    guard let interval else { return nil }
    (half, double) = (interval / 2, interval * 2)
  }

  mutating func sent() { lastSent = .now }
  mutating func received() { lastReceived = .now }

  /// Whether it is time to send one.
  var isDue: Bool { (lastSent + half).hasPassed }
  /// Whether the other side has sent nothing for two intervals.
  var isLost: Bool { (lastReceived + double).hasPassed }
}
