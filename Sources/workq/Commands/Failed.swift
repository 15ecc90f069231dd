internal import AMQP
internal import WorkQueue

/// The failed queue of `workq failed` and `workq retry`, and what the former shows.
struct FailedSettings: Equatable {
  /// nil means the work queue's name and ".failed".
  var queue: String?
  /// Whether to print a line for each task.
  var isList = false
}

/// `workq failed`: shows which tasks are parked, and why.
struct Failed {
  /// Output is buffered up to this size, in bytes, until the tasks are requeued.
  private static let mostHeld = 16 << 20

  let settings: Settings
  private var output: OutputSettings { settings.output }

  func run() throws {
    let names = try ParkedQueues(settings)
    let options = settings.connection.options(for: "failed")
    try settings.withConnection(for: "failed") { link, console in
      // A slow reader, such as less(1), must not delay the requeue of the tasks.
      let held = console.holding(Self.mostHeld)
      var summary = FailureSummary()
      let line = TaskLine.forOutput()
      var seen = 0
      let result = try QueueLook.look(
        at: names.failed, isFailedQueue: true, on: &link, via: [link.address], options
      ) { task in
        if !settings.failed.isList {
          summary.add(task)
        } else if output.isJSON {
          held.print(PeekReport.json(task, queue: names.failed))
        } else {
          if seen == 0 { held.print(line.heading) }
          held.print(line.line(task))
        }
        seen += 1
        return true
      }
      held.showHeld()
      guard let result, result.seen > 0 else {
        if result == nil { try names.checkWorkQueue(&link) }
        return console.notice("no task is parked in '\(names.failed)'")
      }
      ReplacementNote.report(result.replacement, names.failed, console)
      if settings.failed.isList { return }
      let report = FailedReport(queue: names.failed, summary: summary)
      if output.isJSON {
        for object in report.json() { console.print(object) }
      } else {
        for line in report.lines(width: Self.width) { console.print(line) }
      }
      console.say(names.advice(for: result.seen))
    }
  }

  private static var width: Int? { Console.outputIsTerminal ? Terminal.size.columns : nil }
}

/// A work queue and its failed queue.
struct ParkedQueues {
  let work: String
  let failed: String

  init(_ settings: Settings) throws {
    work = try settings.connection.queueNames(settings.operands)[0]
    failed = settings.failed.queue ?? "\(work).failed"
    guard (1...255).contains(failed.utf8.count), failed != work else {
      throw Failure(.usage, "the failed queue needs another name than '\(work)', of 255 bytes at most")
    }
  }

  /// A work queue without a failed queue has no parked tasks; if neither queue exists, the name is probably misspelt.
  func checkWorkQueue(_ link: inout Connection) throws {
    guard try link.status(ofQueue: work) == nil else { return }
    let hint = work.hasSuffix(".failed") ? "give the work queue's name, without .failed" : "check the name"
    throw Failure(
      .configuration, "\(link.address.location): there is no queue '\(work)', and no '\(failed)' (\(hint))")
  }

  func advice(for count: Int) -> String {
    let tasks = count == 1 ? "1 task is" : "\(NumberFormat.grouped(count)) tasks are"
    let name = Quoted.shellWord(work)
    return "\(tasks) parked in '\(failed)'; 'workq retry \(name)' brings \(count == 1 ? "it" : "them") back"
  }
}

/// Reports tasks that were replaced while they were inspected.
enum ReplacementNote {
  static func report(_ replacement: Replacer.Result, _ queue: String, _ console: Console) {
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
}
