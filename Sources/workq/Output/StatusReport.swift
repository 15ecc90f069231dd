internal import AMQP
internal import WorkQueue

/// The state of queues, as a table or as JSON.
struct StatusReport {
  let console: Console
  let isJSON: Bool

  /// One count of the queues.
  func report(_ readings: [QueueReading]) {
    if isJSON {
      for reading in readings { console.print(Self.json(reading)) }
      return
    }
    let rows = readings.map { reading in
      [reading.member.name] + figures(of: reading)
    }
    for line in Table.lines([["QUEUE", "WAITING", "CONSUMERS"]] + rows, [.left, .right, .right]) {
      console.print(line)
    }
    for line in Self.footer(readings) { console.say(line) }
  }

  /// What is not counted.
  static func footer(_ readings: [QueueReading]) -> [String] {
    let hasWaitingQueue = readings.contains { reading in
      switch reading.member.role {
      case .retry, .delay: reading.status != nil
      case .work, .failed: false
      }
    }
    return ["not counted: tasks that workers hold, retries and delays not named here"]
      + (hasWaitingQueue
        ? ["not counted: tasks that are moving from a retry or delay queue to the work queue"] : [])
  }

  /// One of many counts, without a screen.
  func report(_ readings: [QueueReading], _ histories: [String: QueueHistory]) {
    for reading in readings {
      let rate = histories[reading.member.name]?.rate
      if isJSON {
        var object = Self.json(reading)
        object[.changePerSecond] = rate.map { ($0 * 1000).rounded() / 1000 }
        console.print(object)
      } else {
        let change = rate.map(NumberFormat.change) ?? "-"
        let cells = [WallClock.text, reading.member.name] + figures(of: reading) + [change]
        console.print(cells.joined(separator: "  "))
      }
    }
  }

  /// The connection was lost; the next attempt to connect is made after `retry`.
  func disconnected(_ error: AMQPError, _ retry: Duration) {
    guard isJSON else { return }
    console.print([
      .time: WallClock.iso8601, .event: "disconnected", .error: error.detail, .retryInSeconds: retry,
    ])
  }

  private func figures(of reading: QueueReading) -> [String] {
    guard let status = reading.status else { return ["missing", "-"] }
    return ["\(status.waiting)", "\(status.consumers)"]
  }

  private static func json(_ reading: QueueReading) -> JSONObject {
    let (role, delay): (String, Duration?) =
      switch reading.member.role {
      case .work: ("work", nil)
      case .retry(let delay): ("retry", delay)
      case .delay(let delay): ("delay", delay)
      case .failed: ("failed", nil)
      }
    return [
      .time: WallClock.iso8601, .queue: reading.member.name, .exists: reading.status != nil, .role: role,
      .waiting: reading.status?.waiting, .consumers: reading.status?.consumers, .delaySeconds: delay,
    ]
  }
}
