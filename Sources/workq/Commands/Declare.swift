internal import AMQP
internal import WorkQueue

/// What `workq declare` does, besides creating the queue or instead of it.
struct DeclareSettings: Equatable {
  var onlyChecks = false
  var bindings: [Declare.Binding] = []
  var queue = QueueSettings()
}

/// `workq declare`: makes sure that queues exist.
struct Declare {
  let settings: Settings
  private var choice: DeclareSettings { settings.declare }
  private var properties: QueueSettings { choice.queue }
  private var output: OutputSettings { settings.output }

  func run() throws {
    let names = try settings.connection.queueNames(settings.operands)
    var (remaining, missing) = (names[...], [String]())
    try settings.withConnection(for: "declare") { link, console in
      if remaining.count == names.count { advise(names, link.broker, console) }
      while let name = remaining.first {
        if let (status, isNew) = try declare(name, &link) {
          report(status, isNew, console)
        } else {
          missing.append("'\(name)'")
        }
        remaining.removeFirst()
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
  /// - Returns: nil when it is missing, with `--check`.
  private func declare(_ name: String, _ link: inout Connection) throws -> (Queue.Status, isNew: Bool)? {
    let found = try link.status(ofQueue: name)
    if choice.onlyChecks { return found.map { ($0, false) } }
    if let queue = properties.queue(named: name) {
      try declare(queue, &link)
    } else if found == nil {
      try link.ensure(queue: name)
    }
    if let deadLetter = properties.deadLetter { try link.ensure(queue: deadLetter.queue(for: name)) }
    for binding in choice.bindings { try self.bind(name, binding, &link) }
    return try (found ?? link.status(ofQueue: name)).map { ($0, found == nil) }
  }

  private func declare(_ queue: Queue, _ link: inout Connection) throws {
    do throws(AMQPError) {
      _ = try link.declare(queue)
    } catch {
      guard !error.isTransient else { throw error }
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

  private func report(_ status: Queue.Status, _ isNew: Bool, _ console: Console) {
    if output.isJSON {
      console.print([
        .queue: status.name, .waiting: status.waiting, .consumers: status.consumers, .created: isNew,
      ])
    } else if !output.isQuiet {
      console.print("\(status.name): \(status.waiting) waiting, \(status.consumers) consumers")
    }
  }
}

extension Declare {
  /// An exchange and a routing key, as they are typed: "logs:error.#"; the key of "logs:" is empty.
  struct Binding: Equatable {
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
