internal import AMQP
internal import WorkQueue

/// The output of `status --watch`: a screen, or lines without a terminal.
final class StatusView {
  private let report: StatusReport
  private let console: Console
  /// nil if lines are written.
  private let terminal: Terminal?
  private let interval: Duration
  private var readings: [QueueReading] = []
  private var histories: [String: QueueHistory] = [:]
  private var location = ""
  private var clock = ""
  private var trouble: String?
  private var isShown = false

  init(console: Console, isJSON: Bool, interval: Duration) {
    self.console = console
    self.interval = interval
    report = StatusReport(console: console, isJSON: isJSON)
    let isScreen = Console.outputIsScreen && !isJSON
    terminal = isScreen ? Terminal(console: console, showsColor: console.showsColorOnOutput) : nil
  }

  func report(_ event: WatchEvent) {
    switch event {
    case .started:
      terminal?.enter()
      isShown = true
      if location != "" { draw() }
    case .readings(let readings, let time, let address):
      take(readings, at: time)
      (location, clock, trouble) = (address.location, WallClock.text, nil)
      if terminal == nil { report.report(readings, histories) } else { draw() }
    case .lost(let error, let retry):
      trouble = "connection lost: \(error.detail); connecting again in \(retry.formatted)"
      if terminal != nil { return draw() }
      if let trouble { console.notice(trouble) }
      report.disconnected(error, retry)
    case .resized: draw()
    case .suspended: restoreTerminal()
    }
  }

  /// Restores the terminal.
  func restoreTerminal() {
    if isShown { terminal?.exit() }
    isShown = false
  }

  private func take(_ readings: [QueueReading], at time: Duration) {
    self.readings = readings
    var histories: [String: QueueHistory] = [:]
    for reading in readings {
      guard let status = reading.status else { continue }
      var history = self.histories[reading.member.name] ?? QueueHistory()
      history.add(waiting: status.waiting, consumers: status.consumers, at: time)
      histories[reading.member.name] = history
    }
    self.histories = histories
  }

  private func draw() {
    guard let terminal, isShown else { return }
    let screen = StatusScreen(
      location: location, clock: clock, interval: interval, readings: readings, histories: histories,
      trouble: trouble)
    let (columns, rows) = Terminal.size
    terminal.draw(screen.lines(columns: columns, rows: rows))
  }
}
