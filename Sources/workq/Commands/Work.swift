internal import AMQP
internal import WorkQueue

/// `workq work`: takes tasks from a queue and works on them.
struct Work {
  let settings: Settings
  private var choice: WorkSettings { settings.work }

  func run() throws {
    let console = settings.output.console
    let queue = try settings.connection.queueName()
    do throws(UsageError) {
      try choice.checkFaking(of: queue, settings.operands)
    } catch {
      throw Failure(error, in: "workq work")
    }
    if let program = settings.operands.first { try CommandLookup.check(program) }
    let addresses = try settings.connection.addresses(console)
    var options = try workerOptions(addresses, queue)
    let listeners = try Listeners(settings, &options)
    let report = WorkReport(
      console: console, output: settings.output.isJSON ? .json : .text, log: choice.log, options: options)
    if choice.retriesByBroker { try checkRetries(of: queue) }
    try settings.speaking(with: addresses) {
      var worker = Worker(options) { event in
        listeners.report(event)
        report.report(event)
      }
      switch try worker.run() {
      case .killed(let signal):
        Child.killAll()
        Signals.die(by: signal)
      case .stopped(let reason, let tally): try check(reason, tally, options)
      }
    }
  }

  /// Fails unless the queue can delay retries itself; AMQP does not show whether it does.
  private func checkRetries(of queue: String) throws {
    try settings.withConnection(for: "work") { link, _ in
      let location = link.address.location
      guard let version = BrokerVersion(broker: link.broker), version >= BrokerVersion(4, 3) else {
        throw Failure(
          .configuration, "\(location): --retry-by broker needs RabbitMQ 4.3, this is \(link.broker)")
      }
      guard try link.status(ofQueue: queue) != nil, try link.type(ofQueue: queue) == "quorum" else {
        let name = Quoted.shellWord(queue)
        throw Failure(
          .configuration,
          "\(location): --retry-by broker needs '\(queue)' to be a quorum queue with delayed retry (workq declare "
            + "\(name) --type quorum --retry-delay 10s)")
      }
    }
  }

  private func workerOptions(_ addresses: [Address], _ queue: String) throws -> Worker.Options {
    var options = Worker.Options(
      addresses: addresses, connection: settings.connection.options(for: "work"), queue: queue,
      consumer: "workq-\(ConnectionSettings.processName)", host: ConnectionSettings.hostName)
    try choice.apply(
      to: &options, command: settings.operands.map(RawArguments.bytes(of:)),
      ownVariables: settings.connection.ownVariables,
      isJSON: settings.output.isJSON)
    return options
  }

  /// Maps the worker's stop reason to an exit code.
  private func check(_ reason: StopReason, _ tally: TaskCounts, _ options: Worker.Options) throws {
    if case .unrunnable(let reason, let isTemporary) = reason {
      throw Failure(isTemporary ? .temporary : .configuration, "\(reason); its task is requeued")
    }
    guard options.bounds.isBounded else { return }
    let parked = tally.parked > 0 ? ["\(tally.parked) parked in '\(options.failedQueue)'"] : []
    let dropped = tally.dropped > 0 ? ["\(tally.dropped) dropped"] : []
    let isLeft = choice.failsOnRetry && tally.scheduled > 0
    let scheduled = isLeft ? ["\(tally.scheduled) scheduled for retry"] : []
    let held = tally.held > 0 ? ["\(tally.held) returned to the queue"] : []
    let fates = (parked + dropped + scheduled + held).joined(separator: ", ")
    guard !fates.isEmpty else { return }
    throw Failure(
      .tasksFailed, WorkReport.failures(tally).map { "\($0); \(fates)" } ?? "tasks failed: \(fates)")
  }
}

/// What receives the worker's state: systemd, the metrics file, and the terminal's status line.
private struct Listeners {
  private let serviceManager = ServiceManager()
  private let metrics: Metrics?
  private let liveLine: LiveLine?

  /// Sets how often the worker reports its state.
  init(_ settings: Settings, _ options: inout Worker.Options) throws(Failure) {
    let work = settings.work
    metrics = try work.metrics.map { (file) throws(Failure) in
      try Metrics(file, queue: options.queue, worker: work.workerName ?? "\(options.host):\(file.name)")
    }
    liveLine = Self.showsLine(settings, options) ? LiveLine(drains: options.bounds.drains) : nil
    options.progressInterval = [
      serviceManager?.interval, metrics.map { _ in Metrics.interval },
      liveLine.map { _ in LiveLine.interval },
    ].compactMap { $0 }.min()
    if liveLine != nil { options.countInterval = LiveLine.countInterval }
  }

  /// Whether to show a status line: not for faked work, whose output is the tutorial's, nor if the command writes to
  /// the terminal itself.
  private static func showsLine(_ settings: Settings, _ options: Worker.Options) -> Bool {
    guard let command = options.command, settings.work.log == .text, !settings.output.isQuiet,
      Console.errorIsScreen
    else { return false }
    return command.output != .passthrough || OutputRelay.isAvailable
  }

  func report(_ event: WorkerEvent) {
    liveLine?.report(event)
    serviceManager?.report(event)
    metrics?.report(event)
  }
}

/// The format of the worker's own lines.
enum LogFormat {
  case text
  case json
}
