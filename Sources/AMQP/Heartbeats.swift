/// When to send a heartbeat, and when to consider the connection lost.
///
/// rabbitmq-c would write its own heartbeats into the middle of a partly sent frame.
struct Heartbeats {
  let interval: Duration
  /// Half of the interval, so that a late heartbeat does no harm.
  private let half: Duration
  private let double: Duration
  private var lastSent = Deadline.now
  private var lastReceived = Deadline.now

  /// Starts the timers; nil when heartbeats are off (an interval of 0 s).
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
