internal import AMQP
internal import WorkQueue

extension WorkReport {
  /// An event as an object; nil if it has no JSON event.
  func object(_ event: WorkerEvent) -> JSONObject? {
    guard var object = connectionEvent(event) ?? taskEvent(event) ?? workerEvent(event) else { return nil }
    object[.time] = WallClock.iso8601
    object[.queue] = options.queue
    return object
  }

  private func taskEvent(_ event: WorkerEvent) -> JSONObject? {
    switch event {
    case .started(let job): started(job)
    case .ended(let job, let end): ended(job, end)
    case .copiedInVain(let number): [.event: "duplicated", .task: number]
    case .replaced: [.event: "replaced"]
    case .notReplaced(let number, let reason): [.event: "not_replaced", .task: number, .error: reason]
    case .unpublishable(let number, let reason, _):
      [.event: "unpublishable", .task: number, .error: reason]
    case .commandStopped(let job, let signal):
      [
        .event: "command_stopped", .task: job.number, .signal: signal,
        .messageID: job.delivery.message.properties.messageID,
      ]
    case .noResult(let job, let time):
      [
        .event: "no_result", .task: job.number, .seconds: time,
        .messageID: job.delivery.message.properties.messageID,
      ]
    case .longTask(let job, let limit):
      [
        .event: "long_task", .task: job.number, .seconds: limit,
        .messageID: job.delivery.message.properties.messageID,
      ]
    default: nil
    }
  }

  private func started(_ job: Job) -> JSONObject {
    var object: JSONObject = [
      .event: "started", .task: job.number, .attempt: job.attempt,
      .messageID: job.delivery.message.properties.messageID, .redelivered: job.delivery.isRedelivered,
    ]
    if options.command == nil { object.set(job.delivery.message.body, .body, orBase64: .bodyBase64) }
    return object
  }

  private func ended(_ job: Job, _ end: JobEnd) -> JSONObject {
    var object: JSONObject = [
      .task: job.number, .attempt: job.attempt, .seconds: end.took,
      .messageID: job.delivery.message.properties.messageID,
    ]
    object[.event] =
      switch (end.isStale, end.settlement, end.outcome) {
      case (true, _, _): "stale"
      case (_, .acknowledge, _): "done"
      case (_, _, .interrupted): "interrupted"
      default: "failed"
      }
    switch end.outcome {
    case .simulated: break
    case .exited(let status): object[.exitStatus] = status
    case .signalled(let number): object[.signal] = number
    default: object[.error] = end.outcome.description
    }
    if let reason = end.reason { object[.error] = reason }
    // A stale task has no action: the broker redelivers it.
    guard !end.isStale else { return object }
    switch end.settlement {
    case .acknowledge: object[.action] = "ack"
    case .retry where options.policy.retriesByBroker: object[.action] = "retry"
    case .retry(let delay): (object[.action], object[.retryInSeconds]) = ("retry", delay)
    case .requeue: object[.action] = "requeue"
    case .park: object[.action] = "park"
    case .drop: object[.action] = "drop"
    case .release: object[.action] = "release"
    }
    return object
  }

  private func connectionEvent(_ event: WorkerEvent) -> JSONObject? {
    switch event {
    case .waiting(_, let address): [.event: "consuming", .broker: address.location]
    case .reconnected(_, let address): [.event: "reconnected", .broker: address.location]
    case .lost(let error, let running, let results, let retry):
      [
        .event: "disconnected", .error: error.detail, .retryInSeconds: retry, .tasks: running,
        .stale: results,
      ]
    case .unreachable(let error, let retry):
      [.event: "unreachable", .error: error.detail, .retryInSeconds: retry]
    case .cancelled: [.event: "cancelled"]
    case .channelClosed(let error, let running, let timeout):
      [.event: "channel_closed", .error: error.detail, .tasks: running, .seconds: Self.limit(timeout)]
    case .timedOut(let tasks, let limit): [.event: "consumer_timeout", .tasks: tasks, .seconds: limit]
    case .resumed: [.event: "resumed"]
    case .copiesWait(let error, let tasks, let retry):
      [.event: "publishing_failed", .error: error.detail, .tasks: tasks, .retryInSeconds: retry]
    case .copiesBlocked(let reason): [.event: "publishing_blocked", .error: reason]
    case .copiesUnblocked: [.event: "publishing_unblocked"]
    case .waitingQueue(.isClassic(let name, let reason)):
      [.event: "classic_waiting_queue", .waitingQueue: name, .error: reason]
    case .waitingQueue(.usesFormerName(_, let former, let reason)):
      [.event: "former_waiting_queue", .waitingQueue: former, .error: reason]
    default: nil
    }
  }

  private static func limit(_ timeout: ConsumerTimeout.Cause?) -> Duration? {
    guard case .limit(let limit)? = timeout else { return nil }
    return limit
  }

  private func workerEvent(_ event: WorkerEvent) -> JSONObject? {
    switch event {
    case .requeuesForEver: [.event: "unlimited_requeues"]
    case .timeoutTooShort(_, let needed, _): [.event: "timeout_too_short", .seconds: needed]
    case .stopping(let reason, let running, let released):
      Self.explained(reason, [.event: "stopping", .tasks: running, .released: released])
    case .paused(let failures, let delay):
      [.event: "paused", .tasks: failures, .retryInSeconds: delay]
    case .unpaused: [.event: "unpaused"]
    case .commandEnded(let reason, let retry):
      [.event: "command_ended", .error: reason, .retryInSeconds: retry]
    case .graceIsOver(let running): [.event: "grace_over", .tasks: running]
    case .stoppedNow(let running, _): [.event: "killed", .tasks: running]
    case .stopped(let state): Self.counted("stopped", state.counts, state.uptime)
    case .state(let state):
      Self.counted("state", state.counts, state.uptime, running: state.running, state.address)
    default: nil
    }
  }

  private static func counted(
    _ event: String, _ tally: TaskCounts, _ duration: Duration, running: Int? = nil, _ address: Address? = nil
  ) -> JSONObject {
    [
      .event: event, .tasks: running, .broker: address?.location, .seconds: duration, .done: tally.done,
      .retried: tally.retried, .requeued: tally.requeued, .parked: tally.parked, .dropped: tally.dropped,
      .released: tally.released, .stale: tally.stale, .scheduled: tally.scheduled, .held: tally.held,
    ]
  }

  private static func explained(_ reason: StopReason, _ object: JSONObject) -> JSONObject {
    var object = object
    switch reason {
    case .signal(let number): object[.signal] = number
    case .bound: break
    case .unrunnable(let reason, _): object[.error] = reason
    case .failure(let failure): object[.error] = failure.detail
    }
    return object
  }
}

/// A command's output, until its task has ended.
final class CapturedOutput {
  /// The maximum of each stream in an event, in bytes.
  static let limit = 16 << 20

  private var stdout: [UInt8] = []
  private var stderr: [UInt8] = []
  private var isTruncated = false

  func add(_ bytes: ArraySlice<UInt8>, _ stream: OutputStream) {
    switch stream {
    case .stdout: add(bytes, to: &stdout)
    case .stderr: add(bytes, to: &stderr)
    }
  }

  private func add(_ bytes: ArraySlice<UInt8>, to captured: inout [UInt8]) {
    let fitting = bytes.prefix(Self.limit - captured.count)
    captured += fitting
    if fitting.count < bytes.count { isTruncated = true }
  }

  /// Moves all of it into the event of the task that has ended.
  func move(to object: inout JSONObject) {
    if !stdout.isEmpty { object.set(stdout, .stdout, orBase64: .stdoutBase64) }
    if !stderr.isEmpty { object.set(stderr, .stderr, orBase64: .stderrBase64) }
    if isTruncated { object[.truncated] = true }
    (stdout, stderr, isTruncated) = ([], [], false)
  }
}
