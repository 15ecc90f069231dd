internal import AMQP
internal import Glibc

/// The progress line of a bulk publish on a terminal, redrawn ten times a second at most.
struct Progress {
  private static let interval = Duration.milliseconds(100)

  /// The total size of the inputs in bytes, if known.
  let totalBytes: Int?
  private let started = Deadline.now
  private var nextDraw = Deadline.now
  private var isShown = false

  init(totalBytes: Int?) {
    self.totalBytes = totalBytes
  }

  mutating func update(published: Int, bytesRead: Int) {
    guard nextDraw.hasPassed else { return }
    nextDraw = .after(Self.interval)
    isShown = true
    Console.draw(line(published: published, bytesRead: bytesRead, elapsed: Deadline.now - started))
  }

  /// Erases the line, so that something else can be written.
  mutating func clear() {
    guard isShown else { return }
    isShown = false
    Console.draw("")
  }

  /// The line: "12,345 published, 4,321/s, 56 %, 3 s left".
  func line(published: Int, bytesRead: Int, elapsed: Duration) -> String {
    let seconds = elapsed / .seconds(1)
    var parts = ["\(NumberFormat.grouped(published)) published"]
    if seconds > 0.5 { parts.append("\(NumberFormat.grouped(Int(Double(published) / seconds)))/s") }
    if let totalBytes, totalBytes > 0 {
      let share = min(1, Double(bytesRead) / Double(totalBytes))
      parts.append("\(Int(share * 100)) %")
      if share > 0.01 && seconds > 0.5 {
        parts.append("\(Int((seconds / share - seconds).rounded(.up))) s left")
      }
    }
    return parts.joined(separator: ", ")
  }

  /// The summary: "published 100,000 tasks in 6.3 s (15,873/s)".
  func summary(published: Int) -> String {
    let elapsed = Deadline.now - started
    let rate = NumberFormat.grouped(Int(Double(published) / max(elapsed / .seconds(1), 0.001)))
    let tasks = published == 1 ? "1 task" : "\(NumberFormat.grouped(published)) tasks"
    return "published \(tasks) in \(elapsed.formatted) (\(rate)/s)"
  }
}
