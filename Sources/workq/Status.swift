internal import AMQP
internal import ArgumentParser
internal import WorkQueue

struct Status: WorkqCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show how many tasks wait, and who works on them.",
    discussion: """
      $ workq status                   task_queue, its retries, what failed
      $ workq status mail pdf --watch  again and again, until Ctrl-C
      $ workq status --max-waiting 1000 --min-consumers 1
                                       for monitoring: exit code 0 or 75

      Changes nothing: the queues are looked at by passive declarations, for which no management plugin is \
      needed. Tasks that workers hold at the moment are not waiting, and not counted.

      A broker does not list queues to its clients. Besides each queue, status looks for its failed queue, \
      and for the queues where tasks wait for the next attempt, as workers with these --retry-delay and \
      --retry-max-delay declare them, up to the first that is missing. It looks for the queues of \
      'publish --delay' for each --delay that is named here. Any other queue is found by its name: \
      workq status task_queue.retry.1500ms. The broker logs each missing queue; --watch looks for missing \
      ones after 1 min and then less often, and --max-waiting and --min-consumers not at all.

      No count includes the tasks that the broker is moving from a retry or delay queue to the work queue.
      """)

  @Argument(help: ArgumentHelp("The queues; none: the one of --queue.", valueName: "queue"))
  var queues: [String] = []

  @OptionGroup(title: "What is shown") var choice: Choice
  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func run() throws {
    let families = try connection.settings.queueNames(queues).map { queue in
      choice.isCheck
        ? QueueFamily(checking: queue)
        : QueueFamily(
          queue: queue,
          retryDelays: QueueFamily.retryDelays(
            from: choice.retryDelay.duration, upTo: choice.retryMaxDelay.duration),
          delays: choice.delay.map(\.duration), now: WallClock.seconds)
    }
    if let interval = choice.watch?.duration { return try watch(families, every: interval) }
    try withConnection(isRepeatable: true) { link, console in
      var survey = Survey(of: families)
      let readings = try survey.take(&link)
      if !output.quiet && (!choice.isCheck || output.json) {
        StatusReport(console: console, isJSON: output.json).tell(readings)
      }
      try check(readings, link.address.location)
    }
  }

  private func watch(_ families: [QueueFamily], every interval: Duration) throws {
    let console = output.console
    let addresses = try connection.settings.addresses(console)
    let settings = connection.settings.options(for: "status")
    let view = StatusView(console: console, isJSON: output.json, interval: interval)
    defer { view.leave() }
    try speaking(with: addresses) {
      var watch = Watch(
        Watch.Options(addresses: addresses, connection: settings, families: families, interval: interval)
      ) { view.tell($0) }
      try watch.run()
    }
  }

  /// Fails when a queue is missing, or not as it should be.
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
    if let maxWaiting = choice.maxWaiting, status.waiting > maxWaiting {
      complaints.append("'\(status.name)' has \(status.waiting) waiting tasks, more than \(maxWaiting)")
    }
    if let minConsumers = choice.minConsumers, status.consumers < minConsumers {
      complaints.append("'\(status.name)' has \(status.consumers) consumers, fewer than \(minConsumers)")
    }
    return complaints
  }
}

extension Status {
  /// What is looked for, once or again and again.
  struct Choice: ParsableArguments {
    @Option(
      defaultAsFlag: WatchInterval(), parsing: .next,
      help: ArgumentHelp("Look again after this, until Ctrl-C.", valueName: "duration"))
    var watch: WatchInterval?

    @Option(help: ArgumentHelp("Exit with 75, and a line, when more tasks wait in a queue.", valueName: "n"))
    var maxWaiting: UInt32?

    @Option(help: ArgumentHelp("Exit with 75, and a line, when a queue has fewer consumers.", valueName: "n"))
    var minConsumers: UInt32?

    @Option(
      help: ArgumentHelp("What the queue's workers wait before the first retry.", valueName: "duration"))
    var retryDelay = TimeSpan(.seconds(10))

    @Option(help: ArgumentHelp("What they wait at most.", valueName: "duration"))
    var retryMaxDelay = TimeSpan(.seconds(3600))

    @Option(
      help: ArgumentHelp(
        "A delay that tasks were published with; repeat it for others.", valueName: "duration")
    )
    var delay: [TimeSpan] = []

    var isCheck: Bool { maxWaiting != nil || minConsumers != nil }

    func validate() throws {
      if let watch, watch.duration == nil {
        throw ValidationError("--watch looks again after 100ms or more: --watch, --watch 5s, --watch 1m.")
      }
      if watch != nil && isCheck {
        throw ValidationError("--max-waiting and --min-consumers look once: leave out --watch.")
      }
    }
  }

  /// How often to look; two seconds when nothing else is said.
  struct WatchInterval: ExpressibleByArgument, CustomStringConvertible {
    /// nil is something that begins like a duration, and is none; other words are taken for queues.
    var duration: Duration? = .seconds(2)

    init() {}

    init?(argument: String) {
      guard argument.first?.isNumber == true else { return nil }
      let span = TimeSpan(argument: argument)?.duration
      duration = span.flatMap { $0 >= .milliseconds(100) ? $0 : nil }
    }

    var description: String { "2s" }
  }
}
