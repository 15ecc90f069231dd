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
      try choice.checkFaking(of: queue, settings.words)
    } catch {
      throw Failure(error, in: "workq work")
    }
    if let program = settings.words.first { try CommandLookup.check(program) }
    let addresses = try settings.connection.addresses(console)
    let options = try workerOptions(addresses, queue)
    let report = WorkReport(
      console: console, output: settings.output.isJSON ? .json : .text, log: choice.log, options: options)
    try settings.speaking(with: addresses) {
      var worker = Worker(options) { report.tell($0) }
      switch try worker.run() {
      case .killed(let signal):
        Child.killAll()
        Signals.die(by: signal)
      case .stopped(let reason, let tally): try check(reason, tally, options)
      }
    }
  }

  private func workerOptions(_ addresses: [Address], _ queue: String) throws -> Worker.Options {
    var options = Worker.Options(
      addresses: addresses, connection: settings.connection.options(for: "work"), queue: queue,
      consumer: "workq-\(ConnectionSettings.processName)", host: ConnectionSettings.hostName)
    try choice.apply(
      to: &options, command: settings.words.map(RawArguments.bytes(of:)),
      ownVariables: settings.connection.ownVariables, isJSON: settings.output.isJSON)
    return options
  }

  /// Turns the worker's end into an exit code.
  private func check(_ reason: StopReason, _ tally: TaskCounts, _ options: Worker.Options) throws {
    if case .unrunnable(let words, let isTemporary) = reason {
      throw Failure(isTemporary ? .temporary : .configuration, "\(words); its task went back to the queue")
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

/// How the worker's own lines look.
enum LogFormat {
  case text
  case json
}
