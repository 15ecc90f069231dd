internal import AMQP
internal import WorkQueue

/// What `workq status` looks for, once or repeatedly.
struct StatusSettings: Equatable {
  /// nil means once.
  var interval: Duration?
  var maxWaiting: UInt32?
  var minConsumers: UInt32?
  /// The limit for the failed queue of each queue.
  var maxFailed: UInt32?
  var retryDelay = Duration.seconds(10)
  var retryMaxDelay = Duration.seconds(3600)
  var delays: [Duration] = []

  var isCheck: Bool { maxWaiting != nil || minConsumers != nil || maxFailed != nil }
}

/// `workq status`: shows how many tasks wait, and who consumes them.
struct Status {
  let settings: Settings
  private var choice: StatusSettings { settings.status }
  private var output: OutputSettings { settings.output }

  func run() throws {
    let families = try settings.connection.queueNames(settings.operands).map { queue in
      choice.isCheck
        ? QueueFamily(checking: queue, withFailed: choice.maxFailed != nil)
        : QueueFamily(
          queue: queue,
          retryDelays: QueueFamily.retryDelays(
            from: choice.retryDelay, upTo: choice.retryMaxDelay),
          delays: choice.delays, now: WallClock.seconds)
    }
    if let interval = choice.interval { return try watch(families, every: interval) }
    try settings.withConnection(for: "status") { link, console in
      var probe = QueueProbe(of: families)
      let readings = try probe.take(&link)
      if output.isJSON || !output.isQuiet && !choice.isCheck {
        StatusReport(console: console, isJSON: output.isJSON).report(readings)
      }
      try check(readings, link.address.location)
    }
  }

  private func watch(_ families: [QueueFamily], every interval: Duration) throws {
    let console = output.console
    let addresses = try settings.connection.addresses(console)
    let options = settings.connection.options(for: "status")
    let view = StatusView(console: console, isJSON: output.isJSON, interval: interval)
    defer { view.restoreTerminal() }
    try settings.speaking(with: addresses) {
      var watch = Watch(
        Watch.Options(addresses: addresses, connection: options, families: families, interval: interval)
      ) { view.report($0) }
      try watch.run()
    }
  }

  /// Fails when a queue is missing or exceeds a limit.
  private func check(_ readings: [QueueReading], _ location: String) throws {
    let missing = readings.filter { $0.status == nil }.map { "'\($0.member.name)'" }
    guard missing.isEmpty else {
      throw Failure(.configuration, "\(location): no such queue: \(missing.joined(separator: ", "))")
    }
    let complaints = readings.flatMap(complaints)
    guard complaints.isEmpty else {
      throw Failure(.temporary, "\(location): \(complaints.joined(separator: "; "))")
    }
  }

  private func complaints(about reading: QueueReading) -> [String] {
    guard let status = reading.status else { return [] }
    var complaints: [String] = []
    if reading.member.role == .failed {
      guard let maxFailed = choice.maxFailed, status.waiting > maxFailed else { return [] }
      let tasks = status.waiting == 1 ? "1 parked task" : "\(status.waiting) parked tasks"
      return ["'\(status.name)' has \(tasks), more than \(maxFailed)"]
    }
    if let maxWaiting = choice.maxWaiting, status.waiting > maxWaiting {
      complaints.append("'\(status.name)' has \(status.waiting) waiting tasks, more than \(maxWaiting)")
    }
    if let minConsumers = choice.minConsumers, status.consumers < minConsumers {
      complaints.append("'\(status.name)' has \(status.consumers) consumers, fewer than \(minConsumers)")
    }
    return complaints
  }
}
