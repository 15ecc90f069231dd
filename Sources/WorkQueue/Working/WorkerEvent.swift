package import AMQP

/// What a worker has to say while it runs.
package enum WorkerEvent {
  /// Connected, and consuming for the first time.
  case waiting(broker: String, address: Address)
  case started(Job)
  /// What was said so far is to be seen now: the broker hears of it, or nothing happens for a while.
  case caughtUp
  case ended(Job, JobEnd)
  /// What a command has written, where it did not write to our own outputs itself.
  case output(OutputStream, ArraySlice<UInt8>)
  /// The copy of this task is published, but the connection that the original came by is gone: the broker
  /// gives that out again, too.
  case copiedInVain(task: Int?)
  /// A task that was returned to the queue too often was replaced by a copy at its end, which has that many
  /// recorded starts.
  case replaced(starts: Int)
  /// The broker does not take a task's copy for the end of the queue, for that reason: the original is run, or
  /// requeued, as it is. Without a number, the task was not run.
  case notReplaced(task: Int?, reason: String)
  /// So many tasks that failed cannot be put off or parked, for now; they are not lost.
  case copiesWait(AMQPError, tasks: Int, retry: Duration)
  /// The broker takes no copies in, for the reason it gives.
  case copiesBlocked(reason: String)
  case copiesUnblocked
  case waitingQueue(WaitingQueueEvent)
  /// No copy of this task can be published, for that reason: it stays unacknowledged until the worker stops.
  case unpublishable(task: Int, reason: String, acknowledges: Bool)
  /// A signal has stopped the command that works on the task: SIGTTIN and SIGTTOU when it wants the terminal.
  case commandStopped(Job, signal: Int32)
  /// A resident command has written no result for its oldest task for that time.
  case noResult(Job, after: Duration)
  /// A resident command has ended before its first result; it is started again in `retry`.
  case commandEnded(reason: String, retry: Duration)
  /// The task has been held for so long that the broker may take it back: its time limit is near.
  case longTask(Job, limit: Duration)
  /// The connection is gone, with results that the broker did not get; the next attempt comes in `retry`.
  case lost(AMQPError, running: Int, results: Int, retry: Duration?)
  /// An attempt to connect again failed; the next one comes in `retry`.
  case unreachable(AMQPError, retry: Duration?)
  /// Connected again, and consuming.
  case reconnected(broker: String, address: Address)
  /// The broker ended the consumer: the queue was deleted, or has moved.
  case cancelled(queue: String)
  /// The broker closed the channel, and running tasks will be redelivered; `timeout` is its
  /// consumer_timeout, where that was why.
  case channelClosed(AMQPError, running: Int, timeout: ConsumerTimeout.Cause?)
  /// The broker ended the consumer, because this number of tasks were held for longer than its time limit:
  /// it redelivers those, and the others stay ours. None is one that was done meanwhile.
  case timedOut(tasks: Int, limit: Duration)
  /// By the options a task may be requeued for ever, and the quorum queues of this broker limit that.
  case requeuesForEver(broker: String)
  /// By the options a task may be held for longer than this broker usually permits, and a client cannot ask
  /// it for more.
  case timeoutTooShort(broker: String, needed: Duration, usual: Duration)
  /// Consuming again after one of the two.
  case resumed(queue: String)
  /// It takes no more tasks: what runs is finished first, what was not begun has been given back.
  case stopping(StopReason, running: Int, released: Int)
  /// So many tasks have failed in a row, or the one that was tried since: no other begins in that time.
  case paused(failures: Int, retry: Duration)
  /// A task has succeeded after a pause.
  case unpaused
  /// The running tasks have had their time; they are ended and given back.
  case graceIsOver(running: Int)
  /// Left at once; these tasks go back to the queue, or are lost where they are not acknowledged.
  case stoppedNow(running: Int, acknowledges: Bool)
  /// How it stands, asked for by a signal.
  case state(WorkerState)
  /// How it stands, in each `Worker.Options.progressInterval`.
  case progress(WorkerState)
  /// The last word.
  case stopped(WorkerState)
}

/// How a worker stands.
package struct WorkerState: Equatable, Sendable {
  /// The broker that it is connected to; nil when it is not.
  package let address: Address?
  /// How many tasks are worked on.
  package let running: Int
  /// How many tasks were received and are not begun.
  package let prefetched: Int
  /// How many tasks wait in the queue, by the last look at it; nil before one.
  package let waiting: Int?
  package let counts: TaskCounts
  /// Since its start.
  package let uptime: Duration
}

/// How a task ended, and what becomes of it.
package struct JobEnd: Equatable, Sendable {
  package let outcome: Outcome
  /// Why it failed, in the command's own words; nil where it gave none.
  package let reason: String?
  package let settlement: Settlement
  package let took: Duration
  /// Whether the broker gives the task out again whatever we say, because the connection that it came by
  /// is gone.
  package let isStale: Bool
  /// Whether that is for the broker's time limit, and not for a lost connection.
  package let isPastTimeLimit: Bool
}

/// Why a worker stops.
package enum StopReason: Equatable, Sendable {
  case signal(Int32)
  /// It has done what it was to do.
  case bound
  /// The command cannot be run; `isTemporary` when memory or processes are short, or the program is being written.
  case unrunnable(String, isTemporary: Bool)
  /// What no new connection would mend, or what took too long to mend.
  case failure(AMQPError)

  /// Whether nothing more can be done for the tasks that the worker holds.
  var isFailure: Bool {
    switch self {
    case .signal, .bound: false
    case .unrunnable, .failure: true
    }
  }
}

/// What became of a worker's tasks.
package struct TaskCounts: Equatable, Sendable {
  package var done = 0
  package var retried = 0
  package var requeued = 0
  package var parked = 0
  package var dropped = 0
  /// Given back as if nothing had happened.
  package var released = 0
  /// Worked on in vain: the broker gives them out again.
  package var stale = 0
  /// Scheduled for a retry that is still to come.
  package var scheduled = 0
  /// Failed, and held until the worker stops: no copy of them can be published.
  package var held = 0
  /// The tasks that were parked or dropped, by the reason of their last failure.
  package private(set) var failures: [String: Int] = [:]

  /// Reasons can hold any text; more of them than this are counted together.
  private static let mostReasons = 20

  package init() {}

  mutating func failed(because reason: String?) {
    let reason = reason ?? "no reason recorded"
    let isCounted = failures[reason] != nil || failures.count < Self.mostReasons
    failures[isCounted ? reason : "other reasons", default: 0] += 1
  }

  /// Tasks whose work came to an end here.
  package var ended: Int { done + retried + requeued + parked + dropped + stale }
}
