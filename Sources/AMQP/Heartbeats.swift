/// When to say that we are alive, and when to think that the other side is not.
///
/// rabbitmq-c's own heartbeats would be written into the middle of a frame that is half sent; so a
/// connection that sends by `Outgoing` turns them off and has these.
///
/// In a stream of frames the clock is not read for each: what happened between two looks at it counts as
/// having happened at the second.
struct Heartbeats {
  /// So many frames pass between two looks, unless there is a pause.
  private static let framesPerLook = 32

  /// Half of the interval, so that one that is late does no harm.
  private let half: Duration
  private let double: Duration
  private var lastSent: Deadline
  private var lastHeard: Deadline
  private var hasSent = false
  private var hasHeard = false
  private var framesUntilLook = 0

  /// Starts to count; nil when there are no heartbeats.
  init?(every interval: Duration?) {
    guard let interval else { return nil }
    (half, double) = (interval / 2, interval * 2)
    (lastSent, lastHeard) = (.now, .now)
  }

  mutating func sent() { hasSent = true }
  mutating func heard() { hasHeard = true }

  /// Counts a frame, or a look for one.
  ///
  /// - Returns: whether it is time for a `look()`.
  mutating func isLookDue() -> Bool {
    framesUntilLook -= 1
    return framesUntilLook < 0
  }

  /// There is a pause: the next frame may be long in coming.
  mutating func pause() {
    look()
    framesUntilLook = 0
  }

  /// Reads the clock.
  mutating func look() {
    framesUntilLook = Self.framesPerLook
    guard hasSent || hasHeard else { return }
    let now = Deadline.now
    if hasSent { lastSent = now }
    if hasHeard { lastHeard = now }
    (hasSent, hasHeard) = (false, false)
  }

  /// Whether it is time to send one.
  var isDue: Bool { (lastSent + half).hasPassed }
  /// Whether so long a time passed in silence that it is worth a look whether it was silence.
  var isQuiet: Bool { (lastHeard + half).hasPassed }
  /// Whether the other side has said nothing for two intervals.
  var isLost: Bool { !hasHeard && (lastHeard + double).hasPassed }
}
