internal import AMQP
internal import ArgumentParser
internal import WorkQueue

struct Work: WorkqCommand {
  static let configuration = CommandConfiguration(
    commandName: "work",
    abstract: "Take tasks from the queue and work on them.",
    usage: "workq work [<options>] [-- <command> [<argument> ...]]",
    discussion: """
      $ workq work                        fake the work: a second for each dot
      $ workq work -- ./resize            run a command; the task is its stdin
      $ workq work -j 8 --timeout 5m -- ./resize
                                          eight at a time, five minutes each at most
      $ workq work --shell                each task is a command line
      $ workq work --argument -- ./fetch  the task is the command's last argument
      $ workq work --drain -- ./resize    in a cron job: what waits now, then leave

      A task is acknowledged when its work is done; when the worker dies before, another one gets it. A \
      command that exits with 0 has done its task. After anything else the task waits in the broker and \
      is tried again, longer each time; after five attempts it is parked in the failed queue. A command \
      that cannot be run stops the worker (78).

      The command finds the task's properties in its environment (WORKQ_QUEUE, WORKQ_MESSAGE_ID, \
      WORKQ_ATTEMPT, WORKQ_HEADER_NAME and others), and also the worker's own environment. What it leaves \
      running in the background is killed when it ends.

      Ctrl-C, TERM or HUP once: finish the tasks at hand, give the rest back, leave. Twice: leave now.
      """)

  @OptionGroup(title: "Task options") var tasks: TaskOptions
  @OptionGroup(title: "Failure options") var failures: FailureOptions
  @OptionGroup(title: "Stopping options") var stopping: StoppingOptions
  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  @Argument(
    parsing: .postTerminator,
    help: ArgumentHelp("What to run for each task, after '--'.", valueName: "command"),
    completion: .file())
  var command: [String] = []

  func validate() throws {
    guard command.isEmpty || !tasks.shell else {
      throw ValidationError("--shell runs the task itself: it takes no command.")
    }
    guard !tasks.argument || !command.isEmpty else {
      throw ValidationError("--argument needs a command, after '--'.")
    }
    guard !tasks.doesNotAcknowledge || stopping.count == nil else {
      throw ValidationError("--no-ack and --count exclude each other: tasks beyond the count would be lost.")
    }
    let requeues = failures.onFailure == .requeue || failures.onExit.contains { $0.action == .requeue }
    guard !tasks.doesNotAcknowledge || !requeues else {
      throw ValidationError("--no-ack and 'requeue' exclude each other: the broker has forgotten the task.")
    }
  }

  func run() throws {
    // "-- $COMMAND" with nothing in the variable must not fake the work.
    guard !command.isEmpty || !RawArguments.text().contains("--") else {
      throw Failure(.usage, "after '--' there is no command")
    }
    let console = output.console
    let addresses = try connection.settings.addresses(console)
    let queue = try connection.settings.queueName()
    let options = try workerOptions(addresses, queue)
    let report = WorkReport(
      console: console, output: output.json ? .json : .text, log: tasks.log, options: options)
    try speaking(with: addresses) {
      var worker = Worker(options) { report.tell($0) }
      switch try worker.run() {
      case .killed(let signal): Signals.die(by: signal)
      case .stopped(let reason, let tally): try check(reason, tally, options)
      }
    }
  }

  private func workerOptions(_ addresses: [Address], _ queue: String) throws -> Worker.Options {
    var options = Worker.Options(
      addresses: addresses, connection: connection.settings.options(for: "work"), queue: queue,
      consumer: "workq-\(ConnectionSettings.processName)", host: ConnectionSettings.hostName)
    try tasks.apply(
      to: &options, command: command.map(RawArguments.bytes(of:)),
      ownVariables: connection.settings.ownVariables)
    try failures.apply(to: &options)
    stopping.apply(to: &options)
    return options
  }

  /// Turns the worker's end into an exit code.
  private func check(_ reason: StopReason, _ tally: TaskCounts, _ options: Worker.Options) throws {
    if case .unrunnable(let words, let isTemporary) = reason {
      throw Failure(isTemporary ? .temporary : .configuration, "\(words); its task went back to the queue")
    }
    guard options.bounds.isBounded, tally.parked + tally.dropped > 0 else { return }
    let parked = tally.parked > 0 ? ["\(tally.parked) parked in '\(options.failedQueue)'"] : []
    let dropped = tally.dropped > 0 ? ["\(tally.dropped) dropped"] : []
    throw Failure(.tasksFailed, "some tasks were not done: \((parked + dropped).joined(separator: ", "))")
  }
}

/// How the worker's own lines look.
enum LogFormat: String, CaseIterable, ExpressibleByArgument {
  case text
  case json
}
