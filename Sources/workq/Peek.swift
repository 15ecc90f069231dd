internal import AMQP
internal import ArgumentParser
internal import WorkQueue

struct Peek: WorkqCommand {
  static let configuration = CommandConfiguration(
    commandName: "peek",
    abstract: "Look at waiting tasks without taking them.",
    discussion: """
      $ workq peek task_queue.failed              why tasks were given up
      $ workq peek -c 1000 --json | jq .body
      $ workq peek --raw > task                   the next task's body, byte for byte

      The tasks are taken from the queue for the moment that it takes to look at them, and put back in their \
      places: workers will see them as redelivered. Up to RabbitMQ 4.2 a quorum queue counts each look as a \
      delivery; from 4.0 on a copy at the queue's end replaces a task that was returned ten times, before \
      the queue's delivery limit (20) drops it. Of a long body the beginning is shown; --json and --raw have \
      all of it. Nothing to see is no failure, but for --raw (75). \
      A stream cannot be looked at, nor a quorum queue with a single active consumer.
      """)

  @Argument(help: ArgumentHelp("The queue; none: the one of --queue.", valueName: "queue"))
  var name: String?

  @OptionGroup(title: "What is shown") var choice: Choice
  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func validate() throws {
    if choice.raw && output.json { throw ValidationError("--raw and --json exclude each other.") }
  }

  func run() throws {
    guard let queue = try connection.settings.queueNames(name.map { [$0] } ?? []).first else { return }
    let settings = connection.settings.options(for: "peek")
    try withConnection { link, console in
      let look = try Peeker.peek(
        &link, queue: queue, count: choice.raw ? 1 : choice.count, via: [link.address], settings)
      let (tasks, waiting) = (look.tasks, look.waiting)
      if try Peeker.countsDeliveries(&link, queue: queue, tasks: tasks) {
        console.notice("'\(queue)' is a quorum queue: this look counts as a delivery of what it shows")
      }
      explain(look.replacement, queue, console)
      try show(tasks, waiting, of: queue, at: link.address.location, console)
    }
  }

  private func explain(_ replacement: Replacer.Result, _ queue: String, _ console: Console) {
    if replacement.replaced > 0 {
      let them = replacement.replaced == 1 ? "1 task" : "\(replacement.replaced) tasks"
      console.notice(
        "\(them) had been returned to '\(queue)' often: a copy at the queue's end replaces each, because the "
          + "queue's delivery limit would drop it")
    }
    if let reason = replacement.refusal {
      console.notice(
        "cannot replace tasks that were returned to '\(queue)' often: \(reason); the queue's delivery limit "
          + "may drop them")
    }
  }

  private func show(
    _ tasks: [Delivery], _ waiting: UInt32, of queue: String, at location: String, _ console: Console
  ) throws {
    if choice.raw {
      guard let task = tasks.first else {
        throw Failure(.temporary, "\(location): no task waits in '\(queue)'")
      }
      return console.print(bytes: task.message.body)
    }
    for (index, task) in tasks.enumerated() {
      if output.json {
        console.print(PeekReport.json(task, queue: queue))
      } else {
        if index > 0 { console.print("") }
        for line in PeekReport.lines(task, number: index + 1) { console.print(line) }
      }
    }
    if tasks.isEmpty { console.notice("no task waits in '\(queue)'") }
    if waiting > tasks.count && !tasks.isEmpty {
      console.notice(
        "showed \(tasks.count) of \(Figures.grouped(waiting)) waiting tasks (--count shows more)")
    }
  }
}

extension Peek {
  /// How much is shown of the tasks.
  struct Choice: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("Look at so many tasks at most.", valueName: "n"))
    var count = 10

    @Flag(help: "Write the first body to stdout, byte for byte, and nothing else.")
    var raw = false

    func validate() throws {
      if count < 1 { throw ValidationError("--count is 1 or more.") }
    }
  }
}
