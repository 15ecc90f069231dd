internal import AMQP
internal import ArgumentParser
internal import WorkQueue

struct Declare: WorkqCommand {
  static let configuration = CommandConfiguration(
    commandName: "declare",
    abstract: "Make sure that queues exist.",
    discussion: """
      $ workq declare                task_queue exists afterwards
      $ workq declare mail --type quorum --dead-letter
                                     with mail.failed, for dead letters
      $ workq declare errors --bind logs:error.#
      $ workq declare --check mail   only look: exit code 0 or 78

      Prints each queue with its waiting tasks and its consumers. A missing queue is made durable. Without \
      options about what it is like, an existing one is left as it is; with such options it must be just \
      that, or the exit code is 78 and a table says in what it differs. \
      A queue can only be deleted and made anew (workq purge --delete), not changed; what an administrator's \
      policy can set (TTL, lengths, dead letters) need not be declared at all.
      """)

  @Argument(help: ArgumentHelp("The queues; none: the one of --queue.", valueName: "queue"))
  var queues: [String] = []

  @OptionGroup(title: "What is done") var choice: Choice
  @OptionGroup(title: "What the queue is like") var properties: QueueOptions
  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func validate() throws {
    guard choice.onlyChecks else { return }
    guard properties.queue(named: "") == nil, choice.bind.isEmpty else {
      throw ValidationError("--check looks whether a queue exists, not at its properties or bindings.")
    }
  }

  func run() throws {
    let names = try connection.settings.queueNames(queues)
    try withConnection { link, console in
      advise(names, link.broker, console)
      var missing: [String] = []
      for name in names {
        if let (status, isNew) = try declare(name, &link) {
          report(status, isNew, console)
        } else {
          missing.append("'\(name)'")
        }
      }
      guard missing.isEmpty else {
        throw Failure(
          .configuration, "\(link.address.location): no such queue: \(missing.joined(separator: ", "))")
      }
    }
  }

  private func advise(_ names: [String], _ broker: String, _ console: Console) {
    guard let version = BrokerVersion(broker: broker) else { return }
    guard let queue = names.first.flatMap({ properties.queue(named: $0) }) else { return }
    for note in DeclareAdvice.notes(for: queue, on: version) { console.notice(note) }
  }

  /// Declares one queue as the options say, with its bindings and its dead-letter queue.
  ///
  /// - Returns: nil when it is missing, and that was the question.
  private func declare(_ name: String, _ link: inout Connection) throws -> (Queue.Status, isNew: Bool)? {
    let found = try link.status(ofQueue: name)
    if choice.onlyChecks { return found.map { ($0, false) } }
    if let queue = properties.queue(named: name) {
      try declare(queue, &link)
    } else if found == nil {
      try link.ensure(queue: name)
    }
    if let deadLetter = properties.deadLetter { try link.ensure(queue: deadLetter.queue(for: name)) }
    for binding in choice.bind { try self.bind(name, binding, &link) }
    return try (found ?? link.status(ofQueue: name)).map { ($0, found == nil) }
  }

  private func declare(_ queue: Queue, _ link: inout Connection) throws {
    do throws(AMQPError) {
      _ = try link.declare(queue)
    } catch {
      let location = link.address.location
      if let (mismatches, actual) = try link.mismatches(of: queue, after: error) {
        throw Failure(mismatches: mismatches, actual: actual, at: location)
      }
      throw Failure(refused: error, at: location)
    }
  }

  private func bind(_ name: String, _ binding: Binding, _ link: inout Connection) throws {
    do throws(AMQPError) {
      try link.bind(queue: name, exchange: binding.exchange, routingKey: binding.key)
    } catch {
      guard error.kind == .notFound else { throw error }
      throw Failure(
        .configuration,
        "\(link.address.location): cannot \(error.operation): \(error.detail) (it must be there already)")
    }
  }

  private struct Result: Encodable {
    let queue: String
    let waiting: UInt32
    let consumers: UInt32
    let created: Bool
  }

  private func report(_ status: Queue.Status, _ isNew: Bool, _ console: Console) {
    if output.json {
      console.print(
        JSON.line(
          Result(
            queue: status.name, waiting: status.waiting, consumers: status.consumers, created: isNew)))
    } else if !output.quiet {
      console.print("\(status.name): \(status.waiting) waiting, \(status.consumers) consumers")
    }
  }
}

extension Declare {
  /// What is done besides making the queue, or instead of it.
  struct Choice: ParsableArguments {
    @Flag(name: .customLong("check"), help: "Declare nothing; exit with 78 when a queue is missing.")
    var onlyChecks = false

    @Option(
      help: ArgumentHelp(
        "Have this exchange route messages with this key there, too.", valueName: "exchange:key"))
    var bind: [Binding] = []
  }

  /// An exchange and a routing key, as they are typed: "logs:error.#"; the key of "logs:" is empty.
  struct Binding: ExpressibleByArgument, Equatable {
    let exchange: String
    let key: String

    init?(argument: String) {
      guard let colon = argument.firstIndex(of: ":"), colon > argument.startIndex,
        !RawArguments.isEscaped(argument)
      else { return nil }
      exchange = String(argument[..<colon])
      key = String(argument[argument.index(after: colon)...])
    }
  }
}
