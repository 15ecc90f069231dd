internal import AMQP

/// The settings from all options, with their defaults.
struct Settings: Equatable {
  var connection = ConnectionSettings()
  var output = OutputSettings()
  var publish = PublishSettings()
  var work = WorkSettings()
  var status = StatusSettings()
  var peek = PeekSettings()
  var move = MoveSettings()
  var failed = FailedSettings()
  var declare = DeclareSettings()
  var purge = PurgeSettings()
  /// The arguments that are not options: a body, queues, or a command.
  var operands: [String] = []
  /// Help, or something else to do instead of running the subcommand.
  var answer: Invocation.Answer?
}

extension Settings {
  /// Runs code that uses one of the brokers; its errors get the brokers' addresses.
  func speaking(with addresses: [Address], _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as AMQPError {
      throw Failure(error, at: addresses.locations)
    }
  }

  /// Connects, runs `body`, and closes the connection.
  ///
  /// With `isRepeatable` (`body` has neither changed nor printed anything), the next broker is tried after a
  /// temporary error. The purpose is the subcommand, for the connection's name at the broker.
  func withConnection(
    for purpose: String, isRepeatable: @autoclosure () -> Bool = true,
    _ body: (inout Connection, Console) throws -> Void
  ) throws {
    let console = output.console
    let addresses = try connection.addresses(console)
    var rest = addresses[...]
    try speaking(with: addresses) {
      while true {
        var link = try Connection.open(firstOf: Array(rest), connection.options(for: purpose))
        console.detail("connected to \(link.broker) at \(link.address.location)")
        let place = rest.firstIndex(of: link.address) ?? rest.startIndex
        do {
          try body(&link, console)
          return link.close()
        } catch let error as AMQPError where error.isTransient && isRepeatable() {
          rest = rest[(place + 1)...]
          guard !rest.isEmpty else { throw error }
          console.detail("cannot \(error.operation): \(error.detail); trying the next broker")
        }
      }
    }
  }
}
