internal import AMQP
internal import ArgumentParser
internal import WorkQueue

struct Move: WorkqCommand {
  static let configuration = CommandConfiguration(
    commandName: "move",
    abstract: "Send tasks from one queue to another.",
    discussion: """
      $ workq move task_queue.failed task_queue          try again what was given up
      $ workq move -c 1 task_queue.failed task_queue     first one of them, to see
      $ workq move --match x-workq-exit-status=2 task_queue.failed later

      A task leaves the one queue when the broker has confirmed that the other has it: whatever happens on \
      the way, none is lost, and at worst those on their way are in both. Properties and headers go along, \
      except for those that count attempts or tell of failures, and those that the broker has added. Both \
      queues must exist. With --match every task is looked at, and those to be left are held until the end: \
      where tens of thousands are left, that keeps the broker busy for a minute. \
      Ctrl-C once: finish what is on its way, leave the rest where it is. Twice: leave now.
      """)

  @Argument(help: ArgumentHelp("The queue that tasks are taken from.", valueName: "from"))
  var source: String

  @Argument(help: ArgumentHelp("The queue that they are sent to.", valueName: "to"))
  var target: String

  @OptionGroup(title: "What is moved") var choice: Choice
  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func validate() throws {
    if source == target { throw ValidationError("<from> and <to> are the same queue.") }
  }

  func run() throws {
    let names = try connection.settings.queueNames([source, target])
    let console = output.console
    let addresses = try connection.settings.addresses(console)
    var options = Mover.Options(
      addresses: addresses, connection: connection.settings.options(for: "move"), source: names[0],
      target: names[1])
    options.limit = choice.count
    options.matches = choice.match.map { HeaderMatch(name: $0.name, value: $0.value) }
    options.keepsAttempts = choice.keepAttempts
    let report = MoveReport(console: console, isJSON: output.json, source: names[0], target: names[1])
    try speaking(with: addresses) {
      var mover = try Mover.open(options) { report.tell($0) }
      do {
        let ending = try mover.run()
        try report.end(ending, mover.balance, at: mover.address.location)
      } catch let error as AMQPError {
        throw report.failure(error, mover.balance, at: mover.address.location)
      }
      mover.close()
    }
  }
}

extension Move {
  /// Which tasks are moved, and what goes along.
  struct Choice: ParsableArguments {
    @Option(
      name: .shortAndLong,
      help: ArgumentHelp("Move so many at most; otherwise all that wait at the start.", valueName: "n"))
    var count: Int?

    @Option(
      help: ArgumentHelp(
        "Move only tasks with this header; the others stay in their places. Repeat it: all must match.",
        valueName: "header=value"))
    var match: [TypedValue] = []

    @Flag(help: "Let tasks remember how often they were tried, and why they failed.")
    var keepAttempts = false

    func validate() throws {
      if let count, count < 1 { throw ValidationError("--count is 1 or more.") }
    }
  }
}
