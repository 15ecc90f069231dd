package import AMQP

/// What a worker reports while it runs.
package enum WorkerEvent {
  /// Connected, and consuming for the first time.
  indirect case waiting(broker: String, address: Address)
  case started(Job)
  /// Buffered output must be written now: the broker is about to be told, or nothing will happen for a while.
  case caughtUp
  case ended(Job, JobEnd)
  /// A command's output, if it does not write to our outputs itself.
  case output(OutputStream, ArraySlice<UInt8>)
  /// The copy of this task is published, but the original's connection is gone: the broker redelivers the original,
  /// too.
  case copiedInVain(task: Int?)
  /// A task that was returned to the queue often was replaced by a copy at its end, with this number of recorded
  /// starts.
  case replaced(starts: Int)
  /// A task's copy for the end of the queue was refused, for this reason: the original is run or requeued without it.
  /// Without a number, the task was not run.
  case notReplaced(task: Int?, reason: String)
  /// This number of failed tasks cannot be retried or parked for now; they stay unacknowledged.
  case copiesWait(AMQPError, tasks: Int, retry: Duration)
  /// The broker blocks copies, for the reason it gives.
  case copiesBlocked(reason: String)
  case copiesUnblocked
  case waitingQueue(WaitingQueueEvent)
  /// No copy of this task can be published, for this reason: it stays unacknowledged until the worker stops.
  case unpublishable(task: Int, reason: String, acknowledges: Bool)
  /// A signal has stopped the task's command: SIGTTIN or SIGTTOU when it wants the terminal.
  case commandStopped(Job, signal: Int32)
  /// A resident command has written no result for its oldest task in this time.
  case noResult(Job, after: Duration)
  /// A resident command has exited before its first result; it is started again after `retry`.
  case commandEnded(reason: String, retry: Duration)
  /// The task is near the consumer timeout.
  case longTask(Job, limit: Duration)
  /// The connection was lost, with stale results; the next attempt is made after `retry`.
  case lost(AMQPError, running: Int, results: Int, retry: Duration?)
  /// An attempt to reconnect failed; the next one is made after `retry`.
  case unreachable(AMQPError, retry: Duration?)
  /// Reconnected, and consuming.
  indirect case reconnected(broker: String, address: Address)
  /// The broker cancelled the consumer: the queue was deleted, or its leader moved.
  case cancelled(queue: String)
  /// The broker closed the channel, and running tasks will be redelivered; `timeout` is its consumer_timeout, if that
  /// was the reason.
  case channelClosed(AMQPError, running: Int, timeout: ConsumerTimeout.Cause?)
  /// The broker cancelled the consumer, because this number of tasks exceeded the consumer timeout: it redelivers
  /// these, and not the others. Tasks that were done meanwhile are not counted.
  case timedOut(tasks: Int, limit: Duration)
  /// The options permit to requeue a task without end, and this broker's quorum queues limit that.
  case requeuesForEver(broker: String)
  /// The options permit to hold a task for longer than this broker usually does, and a client cannot request more.
  case timeoutTooShort(broker: String, needed: Duration, usual: Duration)
  /// Consuming again after one of the two.
  case resumed(queue: String)
  /// The worker takes no more tasks: running tasks are finished, tasks that have not started were requeued.
  case stopping(StopReason, running: Int, released: Int)
  /// This number of tasks have failed in a row, or the one that was tried since: no other starts in this time.
  case paused(failures: Int, retry: Duration)
  /// A task has succeeded after a pause.
  case unpaused
  /// The grace period is over: running tasks are stopped and requeued.
  case graceIsOver(running: Int)
  /// Exited at once; these tasks are requeued, or lost with automatic acknowledgement.
  case stoppedNow(running: Int, acknowledges: Bool)
  /// The state, requested by a signal.
  indirect case state(WorkerState)
  /// The state, in each `Worker.Options.progressInterval`.
  indirect case progress(WorkerState)
  /// The last event.
  indirect case stopped(WorkerState)
}

/// A worker's state.
package struct WorkerState: Equatable, Sendable {
  /// The broker that it is connected to; nil when it is not connected.
  package let address: Address?
  /// Number of running tasks.
  package let running: Int
  /// Number of tasks received and not started.
  package let prefetched: Int
  /// Number of tasks waiting in the queue, when last counted; nil before.
  package let waiting: Int?
  package let counts: TaskCounts
  package let attempts: AttemptCounts
  /// The time since its start.
  package let uptime: Duration
}

/// How a task ended, and how it is settled.
package struct JobEnd: Equatable, Sendable {
  package let outcome: Outcome
  /// Why it failed, in the command's own words; nil where it gave none.
  package let reason: String?
  package let settlement: Settlement
  package let took: Duration
  /// Why the broker does not wait for the result; nil when it does.
  package let staleness: Staleness?

  /// Whether the result is stale: the broker redelivers the task.
  package var isStale: Bool { staleness?.isRedelivered == true }
}

/// Why the broker does not wait for a task's result.
package enum Staleness: Equatable, Sendable {
  /// The connection that delivered it is gone.
  case connectionLost
  /// The consumer timeout has passed.
  case timeLimitPassed
  /// The queue was deleted, and its unacknowledged tasks with it.
  case queueDeleted

  var isRedelivered: Bool { self != .queueDeleted }
}

/// Why a worker stops.
package enum StopReason: Equatable, Sendable {
  case signal(Int32)
  /// It has reached its bound.
  case bound
  /// The command cannot be run; `isTemporary` when memory or processes are short, or the program is being written.
  case unrunnable(String, isTemporary: Bool)
  /// An error that a new connection would not resolve, or that lasted too long.
  case failure(AMQPError)

  /// Whether nothing more can be done for the tasks that the worker holds.
  var isFailure: Bool {
    switch self {
    case .signal, .bound: false
    case .unrunnable, .failure: true
    }
  }
}

/// The results of a worker's tasks, in numbers.
package struct TaskCounts: Equatable, Sendable {
  package var done = 0
  package var retried = 0
  package var requeued = 0
  package var parked = 0
  package var dropped = 0
  /// Requeued without a failure.
  package var released = 0
  /// Stale: the broker redelivers them.
  package var stale = 0
  /// Still scheduled for retry.
  package var scheduled = 0
  /// Failed, and held until the worker stops: no copy of them can be published.
  package var held = 0
  /// The tasks that were parked or dropped, by the reason of their last failure.
  package private(set) var failures: [String: Int] = [:]

  /// Reasons can be any text; beyond this number they are counted together.
  private static let mostReasons = 20

  package init() {}

  mutating func failed(because reason: String?) {
    let reason = reason ?? "no reason recorded"
    let isCounted = failures[reason] != nil || failures.count < Self.mostReasons
    failures[isCounted ? reason : "other reasons", default: 0] += 1
  }

  /// Tasks that ended in this worker.
  package var ended: Int { done + retried + requeued + parked + dropped + stale }
}
