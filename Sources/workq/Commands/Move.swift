internal import AMQP
internal import WorkQueue

/// Which tasks `workq move` moves, and what goes along.
struct MoveSettings: Equatable {
  /// nil is all that wait at the start.
  var count: Int?
  var matches: [TypedValue] = []
  var keepsAttempts = false
}

/// `workq move`: sends tasks from one queue to another.
struct Move {
  let settings: Settings

  func run() throws {
    let names = try settings.connection.queueNames(settings.words)
    let console = settings.output.console
    let choice = settings.move
    let addresses = try settings.connection.addresses(console)
    var options = Mover.Options(
      addresses: addresses, connection: settings.connection.options(for: "move"), source: names[0],
      target: names[1])
    options.limit = choice.count
    options.matches = choice.matches.map { HeaderMatch(name: $0.name, value: $0.value) }
    options.keepsAttempts = choice.keepsAttempts
    let report = MoveReport(
      console: console, isJSON: settings.output.isJSON, source: names[0], target: names[1])
    try settings.speaking(with: addresses) {
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
