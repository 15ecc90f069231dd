package import AMQP

/// A task that was received and not started.
struct ReceivedTask {
  let delivery: Delivery
  let received: Deadline
  /// Whether it is run although its history is suspicious, because it could not be replaced.
  var mayRun = false
}

/// A running task, with the number of its attempt.
///
/// A class, because a message is large and a job is passed on many times.
package final class Job {
  /// Counts this worker's tasks from 1.
  package let number: Int
  package let delivery: Delivery
  /// Counts this task's attempts from 1, over all workers.
  package let attempt: Int
  let started: Deadline
  /// When it was delivered, which is when the consumer timeout began.
  let received: Deadline
  /// Whether an attempt was started: not when its attempts were used up, or it could not be run.
  var isStarted = false

  init(number: Int, delivery: Delivery, attempt: Int, started: Deadline, received: Deadline) {
    (self.number, self.delivery, self.attempt) = (number, delivery, attempt)
    (self.started, self.received) = (started, received)
  }
}

/// How the work on a task ended.
struct JobResult {
  let job: Job
  var outcome: Outcome
  /// Zero when the work was not started.
  var took = Duration.zero
  /// The last bytes of its command's stderr.
  var stderr: [UInt8] = []
  /// Why it failed, in the command's own words.
  var reason: String?
  /// How long the command wants the next attempt to wait.
  var retryIn: Duration?
}
