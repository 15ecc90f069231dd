internal import AMQP
internal import ArgumentParser
internal import WorkQueue

struct Work: WorkqCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take tasks from the queue and work on them.",
    discussion: """
      $ workq work                  fake the work: one second per dot in the task
      $ workq work --dot 100ms      faster
      $ workq work --prefetch 0     take all at once: round-robin among the workers

      A task is acknowledged when its work is done; when the worker dies before, another one gets it. \
      Ctrl-C (or TERM) once: finish the task at hand, give the rest back, leave. Twice: leave now.
      """)

  @Option(
    name: [.customLong("prefetch"), .customLong("prefetch-count")],
    help: ArgumentHelp(
      "Hold so many unfinished tasks at most; 0 is no limit.", valueName: "n"))
  var prefetch: UInt16 = 1

  @Flag(
    name: [.customShort("A"), .customLong("no-ack"), .customLong("auto-ack")],
    help: "Have the broker forget a task when it hands it out: a killed worker loses it.")
  var doesNotAcknowledge = false

  @Option(help: ArgumentHelp("Work so long for each dot.", valueName: "duration"))
  var dot = TimeSpan(.seconds(1))

  @Flag(
    name: .customLong("no-declare"), help: "Fail with 78 when the queue is missing; do not make it.")
  var doesNotDeclare = false

  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func run() throws {
    let console = output.console
    let addresses = try connection.addresses(console)
    let queue = try connection.queueName()
    let report = WorkReport(console: console, isJSON: output.json, queue: queue)
    let settings = connection.settings(for: "work")
    var options = Worker.Options(
      addresses: addresses, connection: settings, queue: queue,
      consumer: "workq-\(ConnectionOptions.processName)")
    options.declares = !doesNotDeclare
    options.prefetch = prefetch
    options.acknowledges = !doesNotAcknowledge
    options.dot = dot.duration
    try speaking(with: addresses) {
      var worker = Worker(options) { report.tell($0) }
      if case .killed(let signal) = try worker.run() { Signals.die(by: signal) }
    }
  }
}
