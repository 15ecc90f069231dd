internal import CSystem
internal import Glibc
internal import Synchronization

/// The running process groups.
private let groups = Mutex<Set<pid_t>>([])

/// A running command with all processes that it has started: a process group.
///
/// The group does not outlive its leader: background processes are killed when the command ends. (A process that
/// calls setsid(2) leaves the group.)
package final class Child {
  let pid: pid_t
  let output: CommandOutput
  let results: ResultChannel
  private var hasEnded = false

  init(pid: pid_t, output: CommandOutput, results: ResultChannel) {
    (self.pid, self.output, self.results) = (pid, output, results)
    groups.withLock { _ = $0.insert(pid) }
  }

  /// Kills every running group, because the process exits without a shutdown of its worker.
  package static func killAll() {
    for group in groups.withLock({ $0 }) { _ = Glibc.kill(-group, SIGKILL) }
  }

  deinit {
    if !hasEnded { reap() }
  }

  /// What happened to a child of this process.
  enum Change: Equatable {
    /// It has exited, and is not reaped yet.
    case ended(pid_t)
    case stopped(pid_t, by: Int32)
  }

  /// A child of this process that has exited, or was stopped by a signal since the last call; nil when there is none.
  static func nextChange() -> Change? {
    var information = unsafe siginfo_t()
    let found = unsafe waitid(P_ALL, 0, &information, WEXITED | WSTOPPED | WNOHANG | WNOWAIT)
    guard found == 0, unsafe information.si_signo == SIGCHLD else { return nil }
    let pid = unsafe csystem_child(&information)
    guard unsafe information.si_code == Int32(CLD_STOPPED) else { return .ended(pid) }
    let signal = unsafe csystem_child_status(&information)
    // So that each stop is reported only once.
    unsafe waitid(P_PID, id_t(pid), &information, WSTOPPED | WNOHANG)
    return .stopped(pid, by: signal)
  }

  /// Reaps a child that has ended.
  ///
  /// - Returns: its status from wait(2).
  @discardableResult
  static func reap(_ pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  /// Checks whether the command has exited, and if so kills the rest of its group.
  ///
  /// - Returns: its status from wait(2); nil while it runs.
  func ended() -> Int32? {
    var information = unsafe siginfo_t()
    let found = unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
    guard found == 0, unsafe information.si_signo == SIGCHLD else { return nil }
    return reap()
  }

  /// Sends TERM to the group, and CONT, so that a stopped process handles it.
  func terminate() {
    guard !hasEnded else { return }
    kill(-pid, SIGTERM)
    kill(-pid, SIGCONT)
  }

  /// Kills the group.
  func kill() {
    guard !hasEnded else { return }
    kill(-pid, SIGKILL)
  }

  /// Reaps the command, which has exited or is killed, and kills the rest of its group.
  ///
  /// The group is killed before its leader is reaped: until then its id cannot be reused.
  ///
  /// - Returns: its status from wait(2).
  @discardableResult
  func reap() -> Int32 {
    kill()
    groups.withLock { _ = $0.remove(pid) }
    hasEnded = true
    return Self.reap(pid)
  }

  private func kill(_ target: pid_t, _ signal: Int32) {
    _ = Glibc.kill(target, signal)
  }
}
