internal import AMQP
internal import ArgumentParser

struct Declare: WorkqCommand {
  enum Durability: String, EnumerableFlag {
    case durable
    case transient

    static func name(for value: Self) -> NameSpecification {
      value == .durable ? [.customShort("d"), .long] : .long
    }

    static func help(for value: Self) -> ArgumentHelp? {
      switch value {
      case .durable: "Insist that the queue survives a restart of the broker (a new one does anyway)."
      case .transient: "Insist that it does not."
      }
    }
  }

  static let configuration = CommandConfiguration(
    abstract: "Make sure that queues exist.",
    discussion: """
      $ workq declare                  task_queue exists afterwards, whatever its properties
      $ workq declare --check mail     only look: exit code 0 or 78

      Prints each queue with its waiting tasks and its consumers.
      """)

  @Argument(help: ArgumentHelp("The queues; none: the one of --queue.", valueName: "queue"))
  var queues: [String] = []

  @Flag(exclusivity: .exclusive)
  var durability: Durability?

  @Flag(name: .customLong("check"), help: "Declare nothing; exit with 78 when a queue is missing.")
  var onlyChecks = false

  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func validate() throws {
    guard durability == nil || !onlyChecks else {
      throw ValidationError("--check looks whether a queue exists, not at its properties.")
    }
  }

  func run() throws {
    let names = try connection.queueNames(queues)
    try withConnection { link, console in
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

  /// Declares one queue as the options say.
  ///
  /// - Returns: nil when it is missing, and that was the question.
  private func declare(_ name: String, _ link: inout Connection) throws -> (Queue.Status, isNew: Bool)? {
    let found = try link.status(ofQueue: name)
    if let durability {
      var queue = Queue(name: name)
      queue.isDurable = durability == .durable
      do throws(AMQPError) {
        return (try link.declare(queue), found == nil)
      } catch {
        throw Failure(mismatch: error, queue: name, at: link.address.location)
      }
    }
    if let found { return (found, false) }
    if onlyChecks { return nil }
    try link.ensure(queue: name)
    return try link.status(ofQueue: name).map { ($0, true) }
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

extension Failure {
  /// Explains a queue that exists with other properties: which, what was asked for, what the broker has.
  fileprivate init(mismatch error: AMQPError, queue: String, at location: String) {
    guard let mismatch = PropertyMismatch(error) else {
      self.init(error, at: location)
      return
    }
    let rows = [
      ("property", "asked for", "the broker has"), (mismatch.property, mismatch.asked, mismatch.actual),
    ]
    let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
    let table = rows.map { row in
      let first = row.0 + String(repeating: " ", count: widths.0 - row.0.count)
      let second = row.1 + String(repeating: " ", count: widths.1 - row.1.count)
      return "  \(first)  \(second)  \(row.2)"
    }
    self.init(
      .configuration,
      """
      \(location): queue '\(queue)' exists with other properties:
      \(table.joined(separator: "\n"))
      Use it as it is with 'workq declare \(queue)', or delete it first.
      """)
  }
}
