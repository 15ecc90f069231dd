internal import AMQP
internal import WorkQueue

/// How many tasks `workq peek` shows, and how.
struct PeekSettings: Equatable {
  var count = 10
  /// Whether only the first body is written.
  var isRaw = false
  /// Whether each task has one line.
  var isList = false
}

/// `workq peek`: shows waiting tasks without taking them.
struct Peek {
  let settings: Settings
  private var choice: PeekSettings { settings.peek }

  func run() throws {
    guard let queue = try settings.connection.queueNames(settings.operands).first else { return }
    let options = settings.connection.options(for: "peek")
    try settings.withConnection(for: "peek") { link, console in
      var tasks: [Delivery] = []
      let result = try QueueLook.look(
        at: queue, limit: choice.isRaw ? 1 : choice.count, isFailedQueue: false, on: &link,
        via: [link.address], options
      ) { task in
        tasks.append(task)
        return true
      }
      guard let result else {
        throw AMQPError(.notFound, "get tasks of queue '\(queue)'", "there is no such queue")
      }
      if try link.countsLooks(at: tasks, ofQueue: queue) {
        console.notice("'\(queue)' is a quorum queue: this look counts as a delivery of what it shows")
      }
      ReplacementNote.report(result.replacement, queue, console)
      try show(tasks, result.waiting, of: queue, at: link.address.location, console)
    }
  }

  private func show(
    _ tasks: [Delivery], _ waiting: Int, of queue: String, at location: String, _ console: Console
  ) throws {
    if choice.isRaw {
      guard let task = tasks.first else {
        throw Failure(.temporary, "\(location): no task waits in '\(queue)'")
      }
      return console.print(bytes: task.message.body)
    }
    let line = TaskLine.forOutput()
    if choice.isList && !settings.output.isJSON && !tasks.isEmpty { console.print(line.heading) }
    for (index, task) in tasks.enumerated() {
      if settings.output.isJSON {
        console.print(PeekReport.json(task, queue: queue))
      } else if choice.isList {
        console.print(line.line(task))
      } else {
        if index > 0 { console.print("") }
        for line in PeekReport.lines(task, number: index + 1) { console.print(line) }
      }
    }
    if tasks.isEmpty { console.notice("no task waits in '\(queue)'") }
    if waiting > tasks.count && !tasks.isEmpty {
      console.notice(
        "showed \(tasks.count) of \(NumberFormat.grouped(waiting)) waiting tasks (--count shows more)")
    }
  }
}
