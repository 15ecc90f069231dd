/// How the work on a task ended.
package enum Outcome: Equatable, Sendable {
  /// The work that was only pretended always goes well.
  case simulated
  case exited(Int32)
  /// A signal that was not ours ended it.
  case signalled(Int32)
  /// We ended it, because it took longer than that.
  case timedOut(Duration)
  /// The work failed for a reason that is no exit status of its own: it came to no result, or to a line that is none.
  case noResult(String)
  /// We ended it, because the worker could not wait for it.
  case interrupted
  /// It was never begun: the task cannot be handed to the command, for this reason.
  case invalidTask(String)
  /// It was never begun: the task has had this many attempts already.
  case attemptsExceeded(times: Int)
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
  package var description: String {
    switch self {
    case .simulated: "done"
    case .exited(let status): "exit status \(status)"
    case .signalled(let signal): "killed by \(Self.name(ofSignal: signal))"
    case .timedOut(let limit): "timed out after \(Self.text(limit))"
    case .interrupted: "stopped because the worker exits"
    case .noResult(let reason), .invalidTask(let reason), .unrunnable(let reason, _): reason
    case .attemptsExceeded(let times): "no attempt is left after \(times)"
    case .workersDied(let starts): "its workers died: \(starts) recorded starts without an end"
    }
  }

  /// The signals from 1 on, as Linux numbers them on x86 and ARM.
  private static let signals = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
    "WINCH", "IO", "PWR", "SYS",
  ]

  /// "SIGKILL"; a number where it has no name.
  private static func name(ofSignal number: Int32) -> String {
    (1...Int32(signals.count)).contains(number) ? "SIG\(signals[Int(number) - 1])" : "signal \(number)"
  }

  /// "0.3 s", "90 s", "5 min", "2 h".
  private static func text(_ limit: Duration) -> String {
    let seconds = limit / .seconds(1)
    for (unit, size) in [("h", 3600.0), ("min", 60)] {
      let count = seconds / size
      if count >= 2, count == count.rounded() { return "\(Int(count)) \(unit)" }
    }
    let tenths = (seconds * 10).rounded()
    return tenths == (tenths / 10).rounded() * 10 ? "\(Int(tenths / 10)) s" : "\(tenths / 10) s"
  }
}
