internal import AMQP
internal import ArgumentParser
internal import Glibc

struct Purge: WorkqCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Remove the waiting tasks of queues, or the queues.",
    discussion: """
      $ workq purge                       asks first, at a terminal
      $ workq purge --force old older     in a script
      $ workq purge --delete --if-unused --if-empty old

      Prints how many tasks were removed. Tasks that workers hold are not waiting, and are not purged: they \
      are finished, or given back, as if nothing had happened. With --delete the queue goes, and they with \
      it. A queue that is in use or not empty, where that was a condition, is left as it is (75).
      """)

  @Argument(help: ArgumentHelp("The queues; none: the one of --queue.", valueName: "queue"))
  var queues: [String] = []

  @OptionGroup(title: "What is removed") var choice: Choice
  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func run() throws {
    let names = try connection.settings.queueNames(queues)
    guard choice.force || isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 else {
      throw Failure(.usage, "purge removes tasks for good: without a terminal to ask at, it needs --force")
    }
    try withConnection { link, console in
      // A misspelt name is found before anything is removed.
      let found = try names.map { name in
        guard let status = try link.status(ofQueue: name) else {
          throw AMQPError(
            .notFound, "\(choice.delete ? "delete" : "purge") queue '\(name)'", "there is no such queue")
        }
        return status
      }
      for status in found {
        guard choice.force || console.confirms(question(status, link.address.location)) else { continue }
        let removed = try choice.delete ? delete(status, &link) : link.purge(queue: status.name)
        report(status, removed, console)
      }
    }
  }

  private func question(_ status: Queue.Status, _ location: String) -> String {
    let tasks = status.waiting == 1 ? "the waiting task" : "the \(status.waiting) waiting tasks"
    guard choice.delete else { return "Remove \(tasks) of '\(status.name)' at \(location)?" }
    return "Delete '\(status.name)' at \(location) with \(tasks) and those that workers hold?"
  }

  private func delete(_ status: Queue.Status, _ link: inout Connection) throws -> UInt32 {
    let name = status.name
    do {
      // RabbitMQ deletes a stream whatever is in it.
      if choice.ifEmpty, try link.type(ofQueue: name) == "stream" {
        throw Failure(
          .configuration,
          "\(link.address.location): '\(name)' is a stream, of which RabbitMQ does not know whether it is empty"
        )
      }
      return try link.delete(queue: name, ifUnused: choice.ifUnused, ifEmpty: choice.ifEmpty)
    } catch let error as AMQPError where error.kind == .preconditionFailed {
      throw Failure(.temporary, "\(link.address.location): '\(name)' was not deleted: \(error.detail)")
    }
  }

  private struct Result: Encodable {
    let queue: String
    let removed: UInt32
    let deleted: Bool
  }

  private func report(_ status: Queue.Status, _ removed: UInt32, _ console: Console) {
    if output.json {
      console.print(JSON.line(Result(queue: status.name, removed: removed, deleted: choice.delete)))
    } else if !output.quiet {
      console.print("\(status.name): \(removed) removed\(choice.delete ? ", deleted" : "")")
    }
    if !choice.delete && status.consumers > 0 {
      let holders = status.consumers == 1 ? "its consumer holds" : "its \(status.consumers) consumers hold"
      console.notice("'\(status.name)': tasks that \(holders) are not purged")
    }
  }
}

extension Purge {
  /// The tasks alone, or the queue, too, and on which conditions.
  struct Choice: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var force = false

    @Flag(help: "Remove the queue, too.")
    var delete = false

    @Flag(help: "Only delete a queue in which no task waits.")
    var ifEmpty = false

    @Flag(help: "Only delete a queue that nobody consumes.")
    var ifUnused = false

    func validate() throws {
      guard delete || !ifEmpty && !ifUnused else {
        throw ValidationError("--if-empty and --if-unused are conditions of --delete.")
      }
    }
  }
}
