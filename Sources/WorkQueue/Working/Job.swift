package import AMQP

/// A task as it was received, not begun.
struct ReceivedTask {
  let delivery: Delivery
  let received: Deadline
  /// Whether it is run although its deliveries make it suspicious: it could not be replaced.
  var mayRun = false
}

/// A task that is worked on, for the attempt of this number.
///
/// An object, because a message is large and a job passes through many hands.
package final class Job {
  /// Counts this worker's tasks from 1.
  package let number: Int
  package let delivery: Delivery
  /// Counts this task's attempts from 1, over all workers.
  package let attempt: Int
  let started: Deadline
  /// When the broker handed it to us, which is when its time limit began.
  let received: Deadline

  init(number: Int, delivery: Delivery, attempt: Int, started: Deadline, received: Deadline) {
    (self.number, self.delivery, self.attempt) = (number, delivery, attempt)
    (self.started, self.received) = (started, received)
  }
}

/// How the work on a task ended.
struct JobResult {
  let job: Job
  var outcome: Outcome
  /// Zero when the work never began.
  var took = Duration.zero
  /// The last of what its command wrote to stderr.
  var stderr: [UInt8] = []
  /// Why it failed, in the command's own words.
  var reason: String?
  /// How long the command wants the next attempt to wait.
  var retryIn: Duration?
}
