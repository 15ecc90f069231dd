internal import AMQP
internal import ArgumentParser
internal import Glibc

struct Purge: WorkqCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove the waiting tasks of queues.",
    discussion: """
      $ workq purge               asks first, at a terminal
      $ workq purge --force old   in a script

      Tasks that workers hold are not waiting: they are finished, or given back, as if nothing had happened.
      """)

  @Argument(help: ArgumentHelp("The queues; none: the one of --queue.", valueName: "queue"))
  var queues: [String] = []

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var force = false

  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func run() throws {
    let names = try connection.queueNames(queues)
    let asks = !force
    guard !asks || isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 else {
      throw Failure(.usage, "purge removes tasks for good: without a terminal to ask at, it needs --force")
    }
    try withConnection { link, console in
      for name in names {
        if asks {
          guard let status = try link.status(ofQueue: name) else {
            throw AMQPError(.notFound, "purge queue '\(name)'", "there is no such queue")
          }
          let tasks = status.waiting == 1 ? "the waiting task" : "the \(status.waiting) waiting tasks"
          guard console.confirms("Remove \(tasks) of '\(name)' at \(link.address.location)?") else {
            continue
          }
        }
        report(name, try link.purge(queue: name), console)
      }
    }
  }

  private struct Result: Encodable {
    let queue: String
    let removed: UInt32
  }

  private func report(_ queue: String, _ removed: UInt32, _ console: Console) {
    if output.json {
      console.print(JSON.line(Result(queue: queue, removed: removed)))
    } else if !output.quiet {
      console.print("\(queue): \(removed) removed")
    }
  }
}
