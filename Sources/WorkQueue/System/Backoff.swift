/// How long to wait before the next attempt: from half a second, doubled each time, to half a minute.
struct Backoff {
  private static let first = Duration.milliseconds(500)
  private static let longest = Duration.seconds(30)

  private var next = Self.first

  /// The time before the next attempt.
  ///
  /// Between half of it and all of it, at random, so that the workers of a broker that comes back do
  /// not all knock at once.
  mutating func delay(_ random: Double = .random(in: 0.5...1)) -> Duration {
    defer { next = min(next * 2, Self.longest) }
    return next * random
  }

  /// Starts anew, after an attempt that went well.
  mutating func reset() {
    self = Backoff()
  }
}
