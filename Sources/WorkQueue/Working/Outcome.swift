/// How the work on a task ended.
package enum Outcome: Equatable, Sendable {
  /// The work that was only pretended always goes well.
  case pretended
  case exited(Int32)
  /// A signal that was not ours ended it.
  case signalled(Int32)
  /// We ended it, because it took longer than that.
  case timedOut(Duration)
  /// We ended it, because the worker could not wait for it.
  case interrupted
  /// It was never begun: the task cannot be handed to the command, for this reason.
  case unfit(String)
  /// It was never begun: the task has had this many attempts already.
  case exhausted(times: Int)
  /// It was never begun: this many runs of the task were begun, and their workers died.
  case workersDied(starts: Int)
  /// The command cannot be run, whatever the task.
  ///
  /// `isTemporary` when that is for want of memory or processes.
  case unrunnable(String, isTemporary: Bool)

  /// Reads the status that wait(2) gives.
  init(waitStatus status: Int32) {
    let signal = status & 0x7f
    self = signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
  }

  /// As a sentence without its subject, for logs and for the task itself.
  package var words: String {
    switch self {
    case .pretended: "done"
    case .exited(let status): "exit status \(status)"
    case .signalled(let signal): "ended by signal \(signal)"
    case .timedOut(let limit): "ended after its time limit of \(limit / .seconds(1)) s"
    case .interrupted: "ended because the worker had to leave"
    case .unfit(let reason), .unrunnable(let reason, _): reason
    case .exhausted(let times): "no attempt is left after \(times)"
    case .workersDied(let starts): "its workers died: \(starts) recorded starts without an end"
    }
  }
}
