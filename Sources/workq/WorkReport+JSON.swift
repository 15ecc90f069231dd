internal import AMQP
internal import FoundationEssentials
internal import WorkQueue

extension WorkReport {
  /// An event as a line of JSON; nil where it is none.
  func line(_ event: WorkerEvent) -> String? {
    switch event {
    case .output, .caughtUp: return nil
    default: break
    }
    return JSON.line(Line(event, options))
  }

  /// An event as JSON, its keys in snake case; those that do not apply are left out.
  private struct Line: Encodable {
    let time = Date.now.ISO8601Format()
    let queue: String
    var event = ""
    var task: Int?
    var messageID: String?
    var attempt: Int?
    var redelivered: Bool?
    var body: String?
    var bodyBase64: String?
    var seconds: Double?
    var exitStatus: Int32?
    var signal: Int32?
    var settlement: String?
    var inVain: Bool?
    var error: String?
    var retryInSeconds: Double?
    var tasks: Int?
    var handedBack: Int?
    var broker: String?
    var done: Int?
    var retried: Int?
    var requeued: Int?
    var parked: Int?
    var dropped: Int?
    var tasksInVain: Int?
    var waitingQueue: String?
    var scheduled: Int?

    init(_ event: WorkerEvent, _ options: Worker.Options) {
      queue = options.queue
      switch event {
      case .waiting(_, let address): (self.event, broker) = ("waiting", address.location)
      case .started(let job): started(job, isFake: options.command == nil)
      case .ended(let job, let end): ended(job, end)
      case .output, .caughtUp: break
      case .copiedInVain(let number): (self.event, task) = ("copied_in_vain", number)
      case .copiesWait(let error, let tasks, let retry):
        failed("copies_wait", error, retry)
        self.tasks = tasks
      case .copiesBlocked(let reason): (self.event, error) = ("copies_blocked", reason)
      case .copiesUnblocked: self.event = "copies_unblocked"
      case .waitingQueue(.isClassic(let name, let reason)):
        (self.event, waitingQueue, error) = ("classic_waiting_queue", name, reason)
      case .waitingQueue(.usesFormerName(_, let former, let reason)):
        (self.event, waitingQueue, error) = ("former_waiting_queue", former, reason)
      case .longTask(let job, let patience):
        (self.event, task, seconds) = ("long_task", job.number, patience / .seconds(1))
        messageID = job.delivery.message.properties.messageID
      case .lost(let error, let running, let results, let retry):
        failed("lost", error, retry)
        (tasks, tasksInVain) = (running, results)
      case .unreachable(let error, let retry): failed("unreachable", error, retry)
      case .reconnected(_, let address): (self.event, broker) = ("reconnected", address.location)
      case .cancelled: self.event = "cancelled"
      case .replaced: self.event = "replaced"
      case .notReplaced(let number, let reason): (self.event, task, error) = ("not_replaced", number, reason)
      case .channelClosed(let error, let running, let timeout):
        failed("channel_closed", error, nil)
        tasks = running
        if case .limit(let limit) = timeout { seconds = limit / .seconds(1) }
      case .timedOut(let tasks, let limit):
        (self.event, self.tasks, seconds) = ("timed_out", tasks, limit / .seconds(1))
      case .requeuesForEver: self.event = "requeues_for_ever"
      case .timeoutTooShort(_, let needed, _):
        (self.event, seconds) = ("timeout_too_short", needed / .seconds(1))
      case .resumed: self.event = "resumed"
      case .stopping(let reason, let running, let count):
        (self.event, tasks, handedBack) = ("stopping", running, count)
        explain(reason)
      case .graceIsOver(let running): (self.event, tasks) = ("grace_is_over", running)
      case .abandoned(let running, _): (self.event, tasks) = ("abandoned", running)
      case .state(let address, let running, _, let tally, let duration):
        stopped(tally, duration)
        (self.event, tasks, broker) = ("state", running, address?.location)
      case .stopped(let tally, let duration): stopped(tally, duration)
      }
    }

    private mutating func started(_ job: Job, isFake: Bool) {
      (event, task, attempt) = (isFake ? "received" : "started", job.number, job.attempt)
      messageID = job.delivery.message.properties.messageID
      redelivered = job.delivery.isRedelivered
      if isFake { (body, bodyBase64) = JSON.body(job.delivery.message.body) }
    }

    private mutating func ended(_ job: Job, _ end: JobEnd) {
      let isDone = end.settlement == .acknowledge
      event = isDone ? end.isInVain ? "done_in_vain" : "done" : "failed"
      (task, attempt, seconds) = (job.number, job.attempt, end.took / .seconds(1))
      messageID = job.delivery.message.properties.messageID
      inVain = end.isInVain ? true : nil
      switch end.outcome {
      case .pretended: break
      case .exited(let status): exitStatus = status
      case .signalled(let number): signal = number
      default: error = end.outcome.words
      }
      switch end.settlement {
      case .acknowledge: settlement = "ack"
      case .retry(let delay): (settlement, retryInSeconds) = ("retry", delay / .seconds(1))
      case .requeue: settlement = "requeue"
      case .park: settlement = "park"
      case .drop: settlement = "drop"
      case .handBack: settlement = "hand_back"
      }
    }

    private mutating func failed(_ name: String, _ error: AMQPError, _ retry: Duration?) {
      (event, self.error, retryInSeconds) = (name, error.detail, retry.map { $0 / .seconds(1) })
    }

    private mutating func explain(_ reason: StopReason) {
      switch reason {
      case .signal(let number): signal = number
      case .bound: break
      case .unrunnable(let words, _): error = words
      case .failure(let failure): error = failure.detail
      }
    }

    private mutating func stopped(_ tally: TaskCounts, _ duration: Duration) {
      (event, seconds, done) = ("stopped", duration / .seconds(1), tally.done)
      (retried, requeued, parked) = (tally.retried, tally.requeued, tally.parked)
      (dropped, handedBack, tasksInVain) = (tally.dropped, tally.handedBack, tally.inVain)
      scheduled = tally.scheduled
    }
  }
}
