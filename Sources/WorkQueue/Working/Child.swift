internal import CSystem
internal import Glibc
internal import Synchronization

/// The groups that run now.
private let groups = Mutex<Set<pid_t>>([])

/// A command that runs, with all that it has started: a process group.
///
/// The group does not outlive its leader: what the command left in the background is killed when the
/// command ends, so nothing leaks and nothing keeps a task open. (setsid(1) leaves the group.)
package final class Child {
  let pid: pid_t
  let output: CommandOutput
  let results: ResultChannel
  private var hasEnded = false

  init(pid: pid_t, output: CommandOutput, results: ResultChannel) {
    (self.pid, self.output, self.results) = (pid, output, results)
    groups.withLock { _ = $0.insert(pid) }
  }

  /// Ends every group that still runs, because the process is about to end without its worker's doing.
  package static func killAll() {
    for group in groups.withLock({ $0 }) { _ = Glibc.kill(-group, SIGKILL) }
  }

  deinit {
    if !hasEnded { reap() }
  }

  /// What became of a child of this process.
  enum Change: Equatable {
    /// It has ended, and is not reaped yet.
    case ended(pid_t)
    case stopped(pid_t, by: Int32)
  }

  /// A child of this process that has ended, or was stopped by a signal since the last call; nil when there is none.
  static func nextChange() -> Change? {
    var information = unsafe siginfo_t()
    let found = unsafe waitid(P_ALL, 0, &information, WEXITED | WSTOPPED | WNOHANG | WNOWAIT)
    guard found == 0, unsafe information.si_signo == SIGCHLD else { return nil }
    let pid = unsafe csystem_child(&information)
    guard unsafe information.si_code == Int32(CLD_STOPPED) else { return .ended(pid) }
    let signal = unsafe csystem_child_status(&information)
    // So that it is found once only.
    unsafe waitid(P_PID, id_t(pid), &information, WSTOPPED | WNOHANG)
    return .stopped(pid, by: signal)
  }

  /// Reaps a child that has ended.
  ///
  /// - Returns: what wait(2) says of it.
  @discardableResult
  static func reap(_ pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  /// Looks whether the command has ended, and if so ends what it left behind.
  ///
  /// - Returns: what wait(2) says of it; nil while it runs.
  func ended() -> Int32? {
    var information = unsafe siginfo_t()
    let found = unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
    guard found == 0, unsafe information.si_signo == SIGCHLD else { return nil }
    return reap()
  }

  /// Asks the group to end; one that was stopped is woken up, to hear it.
  func terminate() {
    guard !hasEnded else { return }
    kill(-pid, SIGTERM)
    kill(-pid, SIGCONT)
  }

  /// Ends the group.
  func kill() {
    guard !hasEnded else { return }
    kill(-pid, SIGKILL)
  }

  /// Reaps the command, which has ended or is killed, and ends what it left behind.
  ///
  /// The group is killed before its leader is reaped: until then nobody else can get its number.
  ///
  /// - Returns: what wait(2) says of it.
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
