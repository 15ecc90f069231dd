internal import WorkQueue

/// A forecast from a queue's numbers, as a sentence.
enum Forecast {
  /// A lower rate counts as 0; in tasks per second.
  private static let smallest = 0.1
  /// No forecast is made before this time.
  private static let shortest = Duration.seconds(8)

  /// The sentence for a work queue; nil when there is nothing to say.
  static func sentence(
    queue: String, waiting: UInt32, consumers: UInt32, history: QueueHistory
  ) -> String? {
    let rate = history.length >= shortest ? history.rate ?? 0 : 0
    if rate >= smallest {
      let growth = "'\(queue)' grows by \(NumberFormat.rate(rate))"
      guard consumers > 0 else { return "\(growth), and has no consumers" }
      return "\(growth): \(forecast(waiting: waiting, rate: rate, pace: history.knownPace))"
    }
    if consumers == 0 && waiting > 0 { return "'\(queue)' has no consumers" }
    if rate <= -smallest && waiting > 0 {
      return "'\(queue)' shrinks by \(NumberFormat.rate(rate)): empty in \(time(Double(waiting) / -rate))"
    }
    return nil
  }

  /// The time that the waiting tasks take is unknown until the consumers' rate was measured.
  private static func forecast(waiting: UInt32, rate: Double, pace: Double?) -> String {
    guard let pace else {
      return "at this rate \(NumberFormat.grouped(Int(rate * 600))) more tasks wait in 10 min"
    }
    let hourOfWork = pace * 3600
    let missing = hourOfWork - Double(waiting)
    return missing <= 0
      ? "more than 1 h of work is waiting" : "at this rate 1 h of work is waiting in \(time(missing / rate))"
  }

  private static func time(_ seconds: Double) -> String {
    seconds < 30 * 86_400 ? Duration.seconds(seconds).formatted : "more than a month"
  }
}
