internal import AMQP
internal import WorkQueue

/// The lines about a task: "[17] resize cat.jpg: done in 0.8 s".
struct TaskReport {
  private let options: Worker.Options

  init(_ options: Worker.Options) {
    self.options = options
  }

  /// "[17] resize cat.jpg: started (id ..., attempt 2 of 5, redelivered)".
  func started(_ job: Job) -> String {
    var remarks: [String] = []
    if let id = job.delivery.message.properties.messageID { remarks.append("id \(Quoted.plain(id))") }
    if job.attempt > 1 { remarks.append(attempt(job)) }
    if job.delivery.isRedelivered { remarks.append("redelivered") }
    return "\(name(job)): started\(remarks.isEmpty ? "" : " (\(remarks.joined(separator: ", ")))")"
  }

  /// "[17] resize cat.jpg: done in 0.8 s".
  func done(_ job: Job, _ end: JobEnd) -> String {
    let status = end.outcome == .exited(0) ? "" : " (\(end.outcome.description))"
    return "\(name(job)): done in \(end.took.formatted)\(status)\(staleness(end) ?? "")"
  }

  /// "[17] resize cat.jpg: attempt 2 of 5 failed: exit status 1, after 0.8 s; retry in 20 s"; or "[17] resize cat.jpg:
  /// stopped after 0.8 s; requeued" when the worker had to exit.
  func failed(_ job: Job, _ end: JobEnd) -> String {
    let rest = "after \(end.took.formatted)\(staleness(end) ?? "; \(fate(end.settlement))")"
    guard end.outcome != .interrupted else { return "\(name(job)): stopped \(rest)" }
    let reason = end.reason.map { "\($0) (\(end.outcome.description))" } ?? end.outcome.description
    return "\(name(job)): \(attempt(job)) failed: \(Quoted.plain(reason)), \(rest)"
  }

  private func name(_ job: Job) -> String {
    "[\(job.number)] \(TaskLine.name(of: job.delivery.message.body))"
  }

  private func attempt(_ job: Job) -> String {
    let most = options.policy.maxAttempts
    return most > 0 ? "attempt \(job.attempt) of \(most)" : "attempt \(job.attempt)"
  }

  /// Why the broker does not wait for the result, and what becomes of the task.
  private func staleness(_ end: JobEnd) -> String? {
    switch end.staleness {
    case nil: return nil
    case .connectionLost: return "; the connection that delivered it is gone: the broker redelivers it"
    case .timeLimitPassed: return "; the broker's time limit has passed: the broker redelivers it"
    case .queueDeleted: return "; the queue was deleted, and the task with it"
    }
  }

  private func fate(_ settlement: Settlement) -> String {
    switch settlement {
    case .acknowledge: "done"
    case .retry where options.policy.retriesByBroker: "retried by the broker"
    case .retry(let delay): "retry in \(delay.formatted)"
    case .requeue: "requeued"
    case .park: "parked in '\(options.failedQueue)'"
    case .drop: "dropped"
    case .release: options.acknowledges ? "requeued" : "lost (--no-ack)"
    }
  }
}
