internal import AMQP
internal import ArgumentParser
internal import Glibc

@main
struct Workq: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "workq",
    abstract: "Work queues on RabbitMQ, from the shell.",
    discussion: """
      $ workq work                    take tasks and fake the work: a second per dot
      $ workq publish First message.  send a task, from another terminal

      A task that publish accepted is never lost: it is confirmed by the broker, kept on its disk, and \
      given to another worker when one dies over it. The broker is the one of --url or WORKQ_URL, else the \
      one on this machine; the queue that of --queue or WORKQ_QUEUE, else task_queue.
      """,
    version: "\(Version.current) (rabbitmq-c \(Connection.libraryVersion))",
    subcommands: [
      Publish.self, Work.self, Status.self, Peek.self, Move.self, Declare.self, Purge.self,
    ])

  static func main() {
    StandardStreams.reserve()
    var console = Console()
    do {
      let arguments = RawArguments.text()
      ProcessListing.hidePasswords(in: arguments)
      if let order = PlainPublish.order(arguments) { return try order.run(console) }
      if RootHelp.isMeant(by: arguments) { return console.print(RootHelp.text() ?? helpMessage()) }
      try Subcommands.check(arguments)
      var command = try parseAsRoot(SpoolOptions.expanded(arguments))
      if let command = command as? any WorkqCommand { console = command.output.console }
      try command.run()
    } catch let failure as Failure {
      console.failure(failure.message)
      Glibc.exit(failure.status.rawValue)
    } catch {
      end(error, console)
    }
  }

  /// Ends with what the parser has to say: help that was asked for, or what is wrong with the usage.
  private static func end(_ error: any Error, _ console: Console) -> Never {
    let code = exitCode(for: error)
    guard code.isSuccess else {
      let words = message(for: error).split(separator: "\n").joined(separator: " ")
      // The full message ends with: See 'workq publish --help' for more information.
      let help = fullMessage(for: error).split(separator: "\n").last?.split(separator: "'").dropFirst().first
      let isCommand = help?.hasPrefix("workq work ") == true && words.contains("nexpected argument")
      let hint = isCommand ? "; a command to run goes after '--'" : ""
      console.failure("\(words)\(hint) (see '\(help ?? "workq --help")')")
      Glibc.exit(ExitStatus.usage.rawValue)
    }
    console.print(fullMessage(for: error))
    Glibc.exit(ExitStatus.ok.rawValue)
  }
}

/// What all subcommands have.
protocol WorkqCommand: ParsableCommand {
  var connection: ConnectionOptions { get }
  var output: OutputOptions { get }
}

extension WorkqCommand {
  /// Runs what speaks with one of the brokers; what goes wrong there is said with their addresses.
  func speaking(with addresses: [Address], _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as AMQPError {
      throw Failure(error, at: addresses.locations)
    }
  }

  /// Connects, runs `body`, and closes the connection.
  ///
  /// When `body` only reads before it prints (`isRepeatable`), the next broker is tried after one that refuses
  /// for now.
  func withConnection(
    isRepeatable: Bool = false, _ body: (inout Connection, Console) throws -> Void
  ) throws {
    let console = output.console
    let addresses = try connection.settings.addresses(console)
    var rest = addresses[...]
    try speaking(with: addresses) {
      while true {
        var link = try Connection.open(
          firstOf: Array(rest), connection.settings.options(for: Self._commandName))
        console.detail("connected to \(link.broker) at \(link.address.location)")
        let place = rest.firstIndex(of: link.address) ?? rest.startIndex
        do {
          try body(&link, console)
          return link.close()
        } catch let error as AMQPError where isRepeatable && error.kind == .unavailable {
          rest = rest[(place + 1)...]
          guard !rest.isEmpty else { throw error }
          console.detail("cannot \(error.operation): \(error.detail); trying the next broker")
        }
      }
    }
  }
}
