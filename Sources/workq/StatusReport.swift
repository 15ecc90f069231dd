internal import AMQP
internal import FoundationEssentials
internal import WorkQueue

/// What was found of queues, as a table or as JSON.
struct StatusReport {
  let console: Console
  let isJSON: Bool

  /// One look at the queues.
  func tell(_ readings: [QueueReading]) {
    if isJSON {
      for reading in readings { console.print(JSON.line(Line(reading))) }
      return
    }
    let rows = readings.map { reading in
      [reading.member.name] + figures(of: reading)
    }
    for line in Table.lines([["QUEUE", "WAITING", "CONSUMERS"]] + rows, [.left, .right, .right]) {
      console.print(line)
    }
    console.say(Self.unseen)
    if let note = Self.note(on: readings) { console.say(note) }
  }

  /// What no look at queues can find.
  static let unseen = "not counted: tasks that workers hold, retries and delays not named here"

  /// What the counts leave out; nil where that cannot be anything.
  static func note(on readings: [QueueReading]) -> String? {
    let hasWaitingQueue = readings.contains { reading in
      switch reading.member.role {
      case .retry, .delay: reading.status != nil
      case .work, .failed: false
      }
    }
    return hasWaitingQueue
      ? "not counted: tasks that are moving from a retry or delay queue to the work queue" : nil
  }

  /// One of many looks, where no screen can be drawn.
  func tell(_ readings: [QueueReading], _ histories: [String: QueueHistory]) {
    for reading in readings {
      let rate = histories[reading.member.name]?.rate
      if isJSON {
        var line = Line(reading)
        line.time = Date.now.ISO8601Format()
        line.changePerSecond = rate.map { ($0 * 1000).rounded() / 1000 }
        console.print(JSON.line(line))
      } else {
        let change = rate.map(Figures.change) ?? "-"
        let cells = [WallClock.text, reading.member.name] + figures(of: reading) + [change]
        console.print(cells.joined(separator: "  "))
      }
    }
  }

  private func figures(of reading: QueueReading) -> [String] {
    guard let status = reading.status else { return ["missing", "-"] }
    return ["\(status.waiting)", "\(status.consumers)"]
  }

  /// A queue as JSON; what does not apply is left out.
  private struct Line: Encodable {
    let queue: String
    let exists: Bool
    let role: String
    let waiting: UInt32?
    let consumers: UInt32?
    var delayMs: Int64?
    var time: String?
    var changePerSecond: Double?

    init(_ reading: QueueReading) {
      queue = reading.member.name
      exists = reading.status != nil
      waiting = reading.status?.waiting
      consumers = reading.status?.consumers
      switch reading.member.role {
      case .work: role = "work"
      case .retry(let delay): (role, delayMs) = ("retry", TimeSpan(delay).milliseconds)
      case .delay(let delay): (role, delayMs) = ("delay", TimeSpan(delay).milliseconds)
      case .failed: role = "failed"
      }
    }
  }
}
