/// How long to wait before the next attempt: from half a second, doubled each time, to half a minute.
struct Backoff {
  private static let first = Duration.milliseconds(500)
  private static let longest = Duration.seconds(30)

  private var next = Self.first

  /// The time before the next attempt.
  ///
  /// Random, from half of it to all of it, so that workers do not all reconnect at the same moment.
  mutating func delay(_ random: Double = .random(in: 0.5...1)) -> Duration {
    defer { next = min(next * 2, Self.longest) }
    return next * random
  }

  /// Starts again from the first delay, after a successful attempt.
  mutating func reset() {
    self = Backoff()
  }
}
