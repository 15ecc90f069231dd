/// When to send a heartbeat, and when to consider the connection lost.
///
/// rabbitmq-c would write its own heartbeats into the middle of a partly sent frame.
struct Heartbeats {
  /// In nanoseconds, because these are compared for every frame, and a `Duration` is converted slowly.
  private let interval: Int64
  private var lastSent = Deadline.now
  private var lastReceived = Deadline.now

  /// Starts the timers; nil when heartbeats are off (an interval of 0 s).
  init?(every seconds: UInt16) {
    guard seconds > 0 else { return nil }
    interval = Int64(seconds) * 1_000_000_000
  }

  mutating func sent() { lastSent = .now }
  mutating func received() { lastReceived = .now }

  /// Whether it is time to send one: after half of the interval, so that a late one does no harm.
  var isDue: Bool { lastSent.age >= interval / 2 }
  /// Whether the other side has sent nothing for two intervals.
  var isLost: Bool { lastReceived.age >= 2 * interval }
  /// When to check both at the latest.
  var nextCheck: Deadline { Deadline(nanoseconds: Deadline.now.nanoseconds + interval / 3) }
}
