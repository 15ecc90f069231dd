internal import AMQP
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
  private var hasEnded = false

  init(pid: pid_t, output: CommandOutput) {
    self.pid = pid
    self.output = output
    groups.withLock { _ = $0.insert(pid) }
  }

  /// Ends every group that still runs, because the process is about to end without its worker's doing.
  package static func killAll() {
    for group in groups.withLock({ $0 }) { _ = Glibc.kill(-group, SIGKILL) }
  }

  deinit {
    if !hasEnded { finishOff() }
  }

  /// Looks whether the command has ended, and if so ends what it left behind.
  ///
  /// - Returns: what wait(2) says of it; nil while it runs.
  func ended() -> Int32? {
    var information = unsafe siginfo_t()
    // The group is killed before its leader is reaped: until then nobody else can get its number.
    let found = unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
    guard found == 0, unsafe information.si_signo == SIGCHLD else { return nil }
    return finishOff()
  }

  /// Asks the group to end; one that was stopped is woken up, to hear it.
  func terminate() {
    kill(-pid, SIGTERM)
    kill(-pid, SIGCONT)
  }

  /// Ends the group.
  func kill() {
    kill(-pid, SIGKILL)
  }

  @discardableResult
  private func finishOff() -> Int32 {
    kill()
    groups.withLock { _ = $0.remove(pid) }
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    hasEnded = true
    return status
  }

  private func kill(_ target: pid_t, _ signal: Int32) {
    _ = Glibc.kill(target, signal)
  }
}
