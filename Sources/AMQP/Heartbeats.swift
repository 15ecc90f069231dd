/// When to say that we are alive, and when to think that the other side is not.
///
/// rabbitmq-c's own heartbeats would be written into the middle of a frame that is half sent; so a
/// connection that sends by `Outgoing` turns them off and has these.
struct Heartbeats {
  private let interval: Duration
  private var lastSent: Deadline
  private var lastHeard: Deadline

  /// Starts to count; nil when there are no heartbeats.
  init?(every interval: Duration?) {
    guard let interval else { return nil }
    self.interval = interval
    (lastSent, lastHeard) = (.now, .now)
  }

  mutating func sent() { lastSent = .now }
  mutating func heard() { lastHeard = .now }

  /// Whether it is time to send one: half of the interval, so that one that is late does no harm.
  var isDue: Bool { (lastSent + interval / 2).hasPassed }
  /// Whether so long a time passed in silence that it is worth a look whether it was silence.
  var isQuiet: Bool { (lastHeard + interval / 2).hasPassed }
  /// Whether the other side has said nothing for two intervals.
  var isLost: Bool { (lastHeard + interval * 2).hasPassed }
}
