internal import AMQP
internal import WorkQueue

/// Which tasks `workq move` and `workq retry` move, and which headers are kept.
struct MoveSettings: Equatable {
  /// nil means all that wait at the start.
  var count: Int?
  /// Message ids; empty for all tasks.
  var ids: Set<String> = []
  var matches: [TypedValue] = []
  var keepsAttempts = false
  var isDryRun = false
}

/// `workq move`: sends tasks from one queue to another.
struct Move {
  /// Output is buffered up to this size, in bytes, until the tasks are requeued.
  private static let mostHeld = 16 << 20

  let settings: Settings

  func run() throws {
    let names = try settings.connection.queueNames(settings.operands)
    try run(from: names[0], to: names[1], for: "move")
  }

  func run(from source: String, to target: String, for purpose: String) throws {
    let console = settings.output.console
    let choice = settings.move
    let addresses = try settings.connection.addresses(console)
    var options = Mover.Options(
      addresses: addresses, connection: settings.connection.options(for: purpose), source: source,
      target: target)
    options.limit = choice.count
    options.ids = choice.ids
    options.matches = choice.matches.map { HeaderMatch(name: $0.name, value: $0.value) }
    options.keepsAttempts = choice.keepsAttempts
    let report = MoveReport(
      console: console, isJSON: settings.output.isJSON, source: source, target: target)
    try settings.speaking(with: addresses) {
      if choice.isDryRun { return try tryOut(options, report, console) }
      var mover = try Mover.open(options) { report.report($0) }
      do {
        let ending = try mover.run()
        try report.end(ending, mover.balance, at: mover.address.location)
      } catch let error as AMQPError {
        throw report.failure(error, mover.balance, at: mover.address.location)
      }
      mover.close()
    }
  }

  /// Prints the tasks that would be moved.
  private func tryOut(_ options: Mover.Options, _ report: MoveReport, _ console: Console) throws {
    var link = try Connection.open(firstOf: options.addresses, options.connection)
    try Mover.checkTarget(options, &link)
    let held = console.holding(Self.mostHeld)
    let showsTasks = !settings.output.isJSON && !settings.output.isQuiet
    let line = TaskLine.forOutput()
    let limit = options.limit ?? .max
    var (chosen, left) = (0, 0)
    let found = try QueueLook.look(
      at: options.source, isFailedQueue: false, on: &link, via: [link.address], options.connection
    ) { task in
      guard chosen < limit, options.selects(task.message) else {
        left += 1
        return true
      }
      if showsTasks && chosen == 0 { held.print(line.heading) }
      if showsTasks { held.print(line.line(task)) }
      chosen += 1
      return true
    }
    guard let found else { throw Mover.missingSource(options) }
    link.close()
    held.showHeld()
    ReplacementNote.report(found.replacement, options.source, console)
    report.tryOut(chosen, left)
  }
}
