internal import AMQP
internal import Glibc
internal import WorkQueue

/// Prints a worker's events: the tutorial's lines on stdout, the rest on stderr; or JSON on either.
struct WorkReport {
  let console: Console
  /// What stdout gets.
  let output: LogFormat
  /// What stderr gets.
  let log: LogFormat
  let options: Worker.Options
  private let queue: String
  private let isFake: Bool
  private let isResident: Bool
  private let captured = CapturedOutput()
  private let tasks: TaskReport

  init(console: Console, output: LogFormat, log: LogFormat, options: Worker.Options) {
    (self.console, self.output, self.log, self.options) = (console.holding(), output, log, options)
    (queue, isFake) = (options.queue, options.command == nil)
    tasks = TaskReport(options)
    isResident = if case .resident = options.command?.mode { true } else { false }
  }

  func report(_ event: WorkerEvent) {
    switch event {
    case .caughtUp: return console.showHeld()
    // A resident command's output belongs to no task.
    case .output(_, let bytes) where output == .json && isResident: return console.pass(bytes, to: .stderr)
    case .output(let stream, let bytes) where output == .json: return captured.add(bytes, stream)
    case .output(let stream, let bytes): return console.pass(bytes, to: stream)
    default: break
    }
    if output == .json, var object = object(event) {
      if case .ended = event { captured.move(to: &object) }
      console.print(object)
    }
    if log == .json {
      if !console.isQuiet, let object = object(event) { console.log(object.line) }
      if isFake { reportTutorial(event) }
    } else {
      reportText(event)
    }
    switch event {
    case .started, .ended: break  // not flushed: many may come at once
    default: console.showHeld()
    }
  }

  /// The tutorial's own lines; nothing else is written to stdout.
  private func reportTutorial(_ event: WorkerEvent) {
    switch event {
    case .waiting: data(" [*] Waiting for messages. To exit press CTRL+C")
    case .started(let job): data(" [x] Received \(Quoted.bytes(job.delivery.message.body))")
    case .ended(_, let end) where end.outcome == .simulated: data(" [x] Done")
    default: break
    }
  }

  private func reportText(_ event: WorkerEvent) {
    if isFake { reportTutorial(event) }
    switch event {
    case .waiting(let broker, let address):
      console.detail("connected to \(broker) at \(address.location), consuming '\(queue)'")
      if !isFake && !options.bounds.isBounded {
        console.say("waiting for tasks from '\(queue)'; press Ctrl-C to exit")
      }
    case .started(let job): reportStart(job)
    case .ended(let job, let end): reportEnd(job, end)
    case .output, .caughtUp: break
    case .waitingQueue(let event): event.report(to: console)
    case .stopped(let state): reportSummary(state.counts, state.uptime)
    case .state(let state): console.result(Self.description(of: state, queue: queue))
    case .progress: break
    case .copiedInVain, .replaced, .notReplaced, .copiesWait, .copiesBlocked, .copiesUnblocked, .longTask,
      .requeuesForEver, .timeoutTooShort, .graceIsOver, .stopping, .stoppedNow, .unpublishable,
      .commandStopped, .paused, .unpaused, .noResult, .commandEnded:
      reportTrouble(event)
    case .lost, .unreachable, .reconnected, .cancelled, .channelClosed, .timedOut, .resumed:
      reportConnection(event)
    }
  }

  // MARK: Tasks

  private func reportStart(_ job: Job) {
    if !isFake {
      console.detail(tasks.started(job))
    } else if job.delivery.isRedelivered {
      console.detail("the next task is redelivered")
    }
  }

  private func reportEnd(_ job: Job, _ end: JobEnd) {
    switch end.outcome {
    case .interrupted where isFake: break  // reported for all of them together
    case .simulated:
      if end.isStale {
        console.notice("the task's acknowledgement came too late: the broker redelivers the task")
      }
    case _ where end.settlement == .acknowledge: console.say(tasks.done(job, end))
    default: console.notice(tasks.failed(job, end))
    }
  }

  private func reportSummary(_ tally: TaskCounts, _ duration: Duration) {
    if isFake || tally.ended == 0 && options.bounds.isBounded {
      console.detail(summary(tally, duration))
    } else {
      console.say(summary(tally, duration))
    }
    // A bounded run reports it last, as the reason of its exit code.
    if !options.bounds.isBounded, let failures = Self.failures(tally) { console.result(failures) }
  }

  /// "connected to HOST, consuming 'mail' for 5 min: 3 running, 120 done, 2 parked".
  private static func description(of state: WorkerState, queue: String) -> String {
    let counts = [
      (state.prefetched, "prefetched"), (state.counts.scheduled, "scheduled for retry"),
      (state.counts.parked, "parked"), (state.counts.dropped, "dropped"), (state.counts.requeued, "requeued"),
    ]
    let others = counts.filter { $0.0 > 0 }.map { ", \($0.0) \($0.1)" }.joined()
    let place = state.address.map { "connected to \($0.location)" } ?? "not connected"
    return
      "\(place), consuming '\(queue)' for \(state.uptime.formatted): \(state.running) running, "
      + "\(state.counts.done) done\(others)"
  }

  /// "2 tasks failed: exit status 2 (1), timed out after 5 min (1)"; nil when none has failed.
  static func failures(_ tally: TaskCounts) -> String? {
    let count = tally.failures.values.reduce(0, +)
    guard count > 0 else { return nil }
    let reasons = tally.failures.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
    let list = reasons.map { "\(Quoted.plain($0.key)) (\($0.value))" }.joined(separator: ", ")
    return "\(count == 1 ? "1 task" : "\(NumberFormat.grouped(count)) tasks") failed: \(list)"
  }

  private func summary(_ tally: TaskCounts, _ duration: Duration) -> String {
    let counts = [
      (tally.retried, "scheduled for retry"), (tally.requeued + tally.released, "requeued"),
      (tally.parked, "parked"), (tally.dropped, "dropped"), (tally.held, "held"),
      (tally.stale, "to be redelivered"),
    ]
    let others = counts.filter { $0.0 > 0 }.map { ", \($0.0) \($0.1)" }.joined()
    let rate = Double(tally.ended) / max(duration / .seconds(1), 0.001)
    let rounded = rate < 10 ? "\((rate * 10).rounded() / 10)" : "\(Int(rate.rounded()))"
    return "stopped after \(duration.formatted): \(tally.done) done\(others); \(rounded) tasks/s"
  }

  // MARK: Problems

  private func reportTrouble(_ event: WorkerEvent) {
    switch event {
    case .copiedInVain(let number):
      let task = number.map { "task \($0) is retried, requeued or parked" } ?? "a task is replaced by a copy"
      console.notice("\(task), but its connection was lost: the broker redelivers it, too")
    case .replaced(let starts):
      console.detail(
        "a task that was returned to the queue often is replaced by a copy at the queue's end"
          + (starts > 0 ? " (\(starts) of \(DeliveryHistory.mostStarts) recorded starts)" : ""))
    case .notReplaced(let number, let reason):
      let what =
        number.map { "requeue a copy of task \($0)" } ?? "replace a task that was returned often by a copy"
      console.notice("cannot \(what): \(reason); the original is used")
    case .requeuesForEver(let broker):
      console.notice(
        "\(broker) drops or dead-letters a task of a quorum queue that is returned more than 20 times, or more "
          + "than --delivery-limit: with --max-attempts 0, a task that was requeued 10 times goes to the queue's "
          + "end as a copy, and a lower limit drops it")
    case .timeoutTooShort(let broker, let needed, let usual):
      console.notice(
        "--timeout and --prefetch allow a task to be held for \(needed.formatted), but \(broker) takes it back "
          + "after its consumer_timeout, usually \(usual.formatted): raise that, in rabbitmq.conf or by "
          + "workq declare --consumer-timeout")
    case .copiesWait(let error, let tasks, let retry):
      console.notice(
        "cannot retry or park \(count(tasks)): \(error.operation): \(error.detail); "
          + "the broker keeps the originals; trying again in \(retry.formatted)")
    case .unpublishable(let number, let reason, let acknowledges):
      let fate =
        acknowledges ? "held until the worker stops, and then returned to '\(queue)'" : "lost (--no-ack)"
      console.notice("task \(number) can be neither retried nor parked: \(reason); it is \(fate)")
    case .commandStopped(let job, SIGTTIN), .commandStopped(let job, SIGTTOU):
      console.notice(
        "the command of task \(job.number) is stopped: it wants the terminal, which is the worker's; set --timeout, "
          + "or use a command that asks for nothing")
    case .commandStopped(let job, _):
      console.notice("the command of task \(job.number) is stopped by a signal: SIGCONT lets it go on")
    case .noResult(let job, let time):
      console.notice(
        "no result for task \(job.number) after \(time.formatted): does the command write a line to descriptor 3, and "
          + "flush it?")
    case .commandEnded(let reason, let retry):
      console.notice(
        "the command ended before its first result: \(reason); starting it again in \(retry.formatted)")
    case .copiesBlocked(let reason):
      console.notice("the broker blocks publishers (\(Alarm.description(of: reason))): failed tasks wait")
    case .copiesUnblocked: console.notice("the broker accepts failed tasks again")
    case .longTask(let job, let limit):
      console.notice(
        "task \(job.number) has been unacknowledged for long: a broker whose consumer_timeout is "
          + "\(limit.formatted) will redeliver it soon; raise that setting, or set --timeout")
    case .paused(let failures, let delay):
      let tasks = failures == 1 ? "1 task" : "\(failures) tasks"
      console.notice("\(tasks) failed in a row: pausing; trying one task in \(delay.formatted)")
    case .unpaused: console.notice("a task succeeded: going on")
    case .graceIsOver(let running):
      console.notice("the grace period has ended: stopping and requeueing \(count(running))")
    case .stopping(let reason, let running, let released): reportStop(reason, running, released)
    case .stoppedNow(let running, let acknowledges):
      let fate = acknowledges ? "requeued" : "lost (--no-ack)"
      console.notice(running > 0 ? "stopped now: running tasks (\(running)) are \(fate)" : "stopped now")
    default: break
    }
  }

  private func reportStop(_ reason: StopReason, _ running: Int, _ released: Int) {
    let rest = released > 0 ? "; requeued \(count(released)) not started" : ""
    let last = running > 0 ? ": finishing \(runningTasks(running)); press Ctrl-C again to stop now" : ""
    if case .bound = reason {
      console.detail("stopping\(last)\(rest)")
    } else {
      console.notice("stopping\(last)\(rest)")
    }
  }

  private func reportConnection(_ event: WorkerEvent) {
    switch event {
    case .lost(let error, let running, let results, let retry):
      let unsaid =
        results > 0 ? "; the broker redelivers \(count(results)) whose results it does not have" : ""
      let next = retry.map { "; connecting again in \($0.formatted)" } ?? ""
      console.notice("connection lost: \(error.detail)\(redelivery(running))\(unsaid)\(next)")
    case .unreachable(let error, let retry):
      let next = retry.map { "; trying again in \($0.formatted)" } ?? ""
      console.notice("cannot \(error.operation): \(error.detail)\(next)")
    case .reconnected(let broker, let address):
      console.notice("connected again to \(broker) at \(address.location)")
    case .cancelled(let queue):
      console.notice("the broker stopped consuming from '\(queue)': the queue was deleted or has moved")
    case .timedOut(let tasks, let limit):
      let (were, them) = tasks > 1 ? ("were", "them") : ("was", "it")
      console.notice(
        "\(count(max(tasks, 1))) \(were) not acknowledged within the time limit of \(limit.formatted): the broker "
          + "redelivers \(them); set a shorter --timeout")
    case .channelClosed(_, let running, .unknownLimit):
      console.notice(
        "a task was not acknowledged within the broker's time limit, which it does not report\(redelivery(running))"
      )
    case .channelClosed(let error, let running, nil):
      console.notice("the broker closed the channel: \(error.detail)\(redelivery(running))")
    case .channelClosed(_, let running, .limit(let limit)):
      console.notice(
        "a task was not acknowledged within the broker's consumer_timeout of \(limit.formatted)"
          + "\(redelivery(running)); raise consumer_timeout in rabbitmq.conf, or set a shorter --timeout")
    case .resumed(let queue): console.notice("consuming from '\(queue)' again")
    default: break
    }
  }

  private func data(_ line: @autoclosure () -> String) {
    if output == .text && !console.isQuiet { console.print(line()) }
  }

  private func redelivery(_ running: Int) -> String {
    switch running {
    case 0: ""
    case 1: "; 1 running task continues, but the broker will redeliver it"
    default: "; \(running) running tasks continue, but the broker will redeliver them"
    }
  }

  private func runningTasks(_ count: Int) -> String { "\(count) running \(count == 1 ? "task" : "tasks")" }

  private func count(_ tasks: Int) -> String { tasks == 1 ? "1 task" : "\(tasks) tasks" }
}
