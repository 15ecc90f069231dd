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
  /// It was never begun: the task has been given out so many times without an end of it.
  case exhausted(times: Int)
  /// The command cannot be run, whatever the task.
  case unrunnable(String)

  /// Reads the status that wait(2) gives.
  init(waitStatus status: Int32) {
    let signal = status & 0x7f
    self = signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
  }
}
