/// When to send a heartbeat, and when the other side counts as dead.
///
/// rabbitmq-c's own heartbeats would be written into the middle of a frame that is half sent.
struct Heartbeats {
  let interval: Duration
  /// Half of the interval, so that one that is late does no harm.
  private let half: Duration
  private let double: Duration
  private var lastSent = Deadline.now
  private var lastReceived = Deadline.now

  /// Starts to count; nil when there are no heartbeats, which is an interval of no seconds.
  init?(every seconds: UInt16) {
    guard seconds > 0 else { return nil }
    interval = .seconds(Int(seconds))
    (half, double) = (interval / 2, interval * 2)
  }

  mutating func sent() { lastSent = .now }
  mutating func received() { lastReceived = .now }

  /// Whether it is time to send one.
  var isDue: Bool { (lastSent + half).hasPassed }
  /// Whether the other side has sent nothing for two intervals.
  var isLost: Bool { (lastReceived + double).hasPassed }
}
