/// How an attempt ended.
package enum Outcome: Equatable, Sendable {
  /// Faked work, which always succeeds.
  case simulated
  case exited(Int32)
  /// Killed by a signal that we did not send.
  case signalled(Int32)
  /// Stopped by us after this time limit.
  case timedOut(Duration)
  /// Failed without a valid result: no result line, or a malformed one.
  case noResult(String)
  /// Stopped by us, because the worker had to exit.
  case interrupted
  /// Not started: the command cannot get this task, for this reason.
  case invalidTask(String)
  /// Not started: the task has had this many attempts already.
  case attemptsExceeded(times: Int)
  /// Not started: this many workers died after starting the task.
  case workersDied(starts: Int)
  /// The command cannot be run for any task.
  ///
  /// `isTemporary` when memory or processes are short.
  case unrunnable(String, isTemporary: Bool)

  /// From the status of wait(2).
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

  /// The signals from 1 on, as numbered by Linux on x86 and ARM.
  private static let signals = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
    "WINCH", "IO", "PWR", "SYS",
  ]

  /// "SIGKILL"; a number if it has no name.
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
