internal import AMQP
internal import Glibc
internal import WorkQueue

/// What `workq purge` removes: the tasks only, or also the queue, and on which conditions.
struct PurgeSettings: Equatable {
  var force = false
  var delete = false
  var ifEmpty = false
  var ifUnused = false
  /// Whether the queue's retry and delay queues are deleted, too.
  var all = false
  var retryDelay = Duration.seconds(10)
  var retryMaxDelay = Duration.seconds(3600)
  var delays: [Duration] = []

  /// Whether the queue is deleted only on a condition.
  var isConditional: Bool { ifEmpty || ifUnused }
}

/// `workq purge`: removes the waiting tasks of queues, or the queues.
struct Purge {
  let settings: Settings
  private var choice: PurgeSettings { settings.purge }
  private var output: OutputSettings { settings.output }

  func run() throws {
    let names = try settings.connection.queueNames(settings.operands)
    guard choice.force || isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 else {
      throw Failure(.usage, "purge removes tasks permanently: without a terminal to ask at, it needs --force")
    }
    var hasBegun = false
    try settings.withConnection(for: "purge", isRepeatable: !hasBegun) { link, console in
      // A misspelt name is found before anything is removed.
      let found = try names.map { name in
        guard let status = try link.status(ofQueue: name) else {
          throw AMQPError(
            .notFound, "\(choice.delete ? "delete" : "purge") queue '\(name)'", "there is no such queue")
        }
        return status
      }
      for status in found where choice.isConditional { try checkConditions(status.name, &link) }
      hasBegun = true
      for status in found { try purge(status, &link, console) }
    }
  }

  private func purge(_ status: Queue.Status, _ link: inout Connection, _ console: Console) throws {
    let others = choice.delete ? try waitingQueues(of: status.name, &link) : []
    if let note = note(status.name, others) { console.notice(note) }
    let location = link.address.location
    guard choice.force || console.confirms(question(status, others, location)) else { return }
    let removed = try choice.delete ? delete(status.name, &link) : link.purge(queue: status.name)
    report(status, removed, console)
    if choice.all {
      // The work queue is already deleted, so that none of their tasks can return to it.
      for other in others { report(other, try link.delete(queue: other.name), console) }
    }
  }

  /// The existing retry and delay queues of this queue whose names can be known.
  private func waitingQueues(of name: String, _ link: inout Connection) throws -> [Queue.Status] {
    let delays = QueueFamily.retryDelays(
      from: choice.retryDelay, upTo: choice.retryMaxDelay)
    let family = QueueFamily(
      queue: name, retryDelays: delays, delays: choice.delays, now: WallClock.seconds)
    var probe = QueueProbe(of: [family])
    return try probe.take(&link).filter { $0.member.role != .work && $0.member.role != .failed }
      .compactMap(\.status)
  }

  private func question(_ status: Queue.Status, _ others: [Queue.Status], _ location: String) -> String {
    let tasks = status.waiting == 1 ? "the waiting task" : "the \(status.waiting) waiting tasks"
    guard choice.delete else { return "Remove \(tasks) of '\(status.name)' at \(location)?" }
    let question = "Delete '\(status.name)' at \(location) with \(tasks) and those that workers hold"
    return choice.all && !others.isEmpty ? "\(question), and \(Self.list(others))?" : "\(question)?"
  }

  /// Reports the tasks that wait to return to a queue to be deleted, as far as they are known.
  private func note(_ name: String, _ others: [Queue.Status]) -> String? {
    guard !others.isEmpty else { return nil }
    let advice = choice.all ? "" : " (--all deletes the queue's retry and delay queues, too)"
    return "tasks wait to return to '\(name)' in \(Self.list(others))\(advice); tasks that the broker is "
      + "returning just now cannot be counted"
  }

  private static func list(_ queues: [Queue.Status]) -> String {
    queues.map { "'\($0.name)' (\($0.waiting) \($0.waiting == 1 ? "task" : "tasks"))" }
      .joined(separator: ", ")
  }

  /// Refuses conditions that the broker does not support for this type of queue.
  private func checkConditions(_ name: String, _ link: inout Connection) throws {
    switch try link.type(ofQueue: name) {
    case "quorum": throw Self.unconditional(name, "is a quorum queue", at: link.address.location)
    // RabbitMQ deletes a stream even if it is not empty.
    case "stream" where choice.ifEmpty:
      throw Failure(
        .configuration,
        "\(link.address.location): '\(name)' is a stream, of which RabbitMQ does not know whether it is empty"
      )
    default: break
    }
  }

  private static func unconditional(_ name: String, _ reason: String, at location: String) -> Failure {
    Failure(
      .usage,
      "\(location): '\(name)' was not deleted: it \(reason), and RabbitMQ deletes those without conditions only "
        + "(leave out --if-empty and --if-unused)")
  }

  private func delete(_ name: String, _ link: inout Connection) throws -> UInt32 {
    do throws(AMQPError) {
      return try link.delete(queue: name, ifUnused: choice.ifUnused, ifEmpty: choice.ifEmpty)
    } catch {
      switch error.kind {
      case .preconditionFailed:
        throw Failure(.temporary, "\(link.address.location): '\(name)' was not deleted: \(error.detail)")
      case .unsupported where choice.isConditional:
        throw Self.unconditional(name, "has a type without them: \(error.detail)", at: link.address.location)
      default: throw error
      }
    }
  }

  private func report(_ status: Queue.Status, _ removed: UInt32, _ console: Console) {
    if output.isJSON {
      console.print([.queue: status.name, .removed: removed, .deleted: choice.delete])
    } else if !output.isQuiet {
      console.print("\(status.name): \(removed) removed\(choice.delete ? ", deleted" : "")")
    }
    if !choice.delete && status.consumers > 0 {
      let holders = status.consumers == 1 ? "its consumer holds" : "its \(status.consumers) consumers hold"
      console.notice("'\(status.name)': tasks that \(holders) are not purged")
    }
  }
}
