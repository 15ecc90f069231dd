package import AMQP

/// A delivery that is being worked on.
package struct Job {
  /// How the work is done.
  enum Work {
    /// It is pretended until that moment.
    case pretended(until: Deadline)
    case command(Child)
    /// It never began.
    case none
  }

  /// Counts this worker's tasks from 1.
  package let number: Int
  package let delivery: Delivery
  /// Counts this task's attempts from 1, over all workers.
  package let attempt: Int
  let started: Deadline
  /// When the broker handed it to us, which is when its own patience began.
  let received: Deadline
  var work: Work
  /// When the work has to be over.
  var limit = Deadline.never
  /// When a command that was asked to end is made to.
  var killTime = Deadline.never
  /// How the work ends if we have to end it.
  var forcedEnd: Outcome?
  /// When people are told that the broker will not wait much longer.
  var warningTime = Deadline.never

  /// When something is due, if the work does not end before.
  var nextMoment: Deadline {
    var moment = min(warningTime, forcedEnd == nil ? limit : killTime)
    if case .pretended(let end) = work { moment = min(moment, end) }
    return moment
  }

  /// Whether the work was over as it began.
  var isOfNoTime: Bool {
    guard case .none = work else { return false }
    return true
  }

  var child: Child? {
    guard case .command(let child) = work else { return nil }
    return child
  }

  /// Asks a running command to end; it is made to after `killAfter`.
  mutating func end(_ outcome: Outcome, killAfter: Duration) {
    guard forcedEnd == nil, let child else { return }
    forcedEnd = outcome
    killTime = .after(killAfter)
    child.terminate()
  }
}
