internal import AMQP
internal import Glibc

/// A running command, and when it is stopped.
///
/// Runners' subclasses add the command's tasks.
class Run {
  let number: Int
  let child: Child
  let started: Deadline
  /// When its runner has to check it, until it is asked to stop.
  fileprivate var limit = Deadline.never
  /// Whether it was asked to stop, the resulting outcome, and when it is killed.
  fileprivate(set) var isEnding = false
  fileprivate(set) var forcedEnd: Outcome?
  fileprivate var killTime = Deadline.never
  /// The earliest time that a timer is set for.
  fileprivate var timer = Deadline.never
  /// Its wait status, and when it was reaped; nil while it runs.
  fileprivate(set) var end: (status: Int32, time: Deadline)?
  /// Whether its results are not read any more.
  var isMuted = false

  init(number: Int, _ child: Child, started: Deadline) {
    (self.number, self.child, self.started) = (number, child, started)
  }
}

/// The running commands: each exits by itself, or is sent TERM, and then KILL if it does not exit.
struct Runs<Member: Run>: ~Copyable {
  private let killAfter: Duration
  private var members: [Int: Member] = [:]
  private var byPID: [pid_t: Member] = [:]
  private var byChannel: [Int32: Member] = [:]
  private var timers = Timers()
  /// Those that have ended, until all of their output is passed on, one after the other.
  private var ended = Fifo<Member>()
  /// Whether the rest of their output is cut off, because their tasks are requeued.
  private var cutsOutput = false

  init(killAfter: Duration) {
    self.killAfter = killAfter
  }

  var count: Int { members.count }
  var all: some Sequence<Member> { members.values }
  var nextDeadline: Deadline {
    guard let first = ended.first, !first.child.output.isBlocked else { return timers.next }
    return .past
  }

  mutating func add(_ run: Member, limit: Deadline = .never) {
    members[run.number] = run
    byPID[run.child.pid] = run
    byChannel[run.child.results.readEnd] = run
    setLimit(limit, of: run)
  }

  /// The command with this pid; nil when there is none.
  func of(pid: pid_t) -> Member? { byPID[pid] }

  // MARK: Time limits

  /// Sets when `nextDue(_:)` returns a command.
  mutating func setLimit(_ limit: Deadline, of run: Member) {
    guard run.end == nil else { return }
    run.limit = limit
    setTimer(for: run)
  }

  private mutating func setTimer(for run: Member) {
    let due = run.isEnding ? run.killTime : run.limit
    guard due < run.timer else { return }
    run.timer = due
    timers.set(due, for: run.number) { members[$0] != nil }
  }

  /// Kills commands that have not exited in time, and returns one that is due; it is then no longer due.
  mutating func nextDue(_ now: Deadline) -> Member? {
    while let number = timers.popDue(now) {
      guard let run = members[number] else { continue }
      run.timer = .never
      if run.killTime <= now {
        run.killTime = .never
        run.child.kill()
      }
      let isDue = !run.isEnding && run.limit <= now
      if isDue { run.limit = .never }
      setTimer(for: run)
      if isDue { return run }
    }
    return nil
  }

  // MARK: Exits

  /// Reaps the command with this process ID, which has exited; `takeEnded(_:)` returns it.
  ///
  /// - Returns: whether there is such a command.
  mutating func reap(pid: pid_t) -> Bool {
    guard let run = byPID.removeValue(forKey: pid) else { return false }
    run.end = (run.child.reap(), .now)
    (run.limit, run.killTime) = (.never, .never)
    ended.append(run)
    return true
  }

  /// Passes on a bounded part of the output of those that have ended, and removes those whose output is complete.
  ///
  /// So a file of gigabytes, or a reader that does not read, delays nothing else.
  mutating func takeEnded(_ sink: CommandOutput.Sink) -> [Member] {
    var taken: [Member] = []
    var room = CommandOutput.largestTurn
    while let run = ended.first {
      if cutsOutput { room = CommandOutput.largestTurn }
      guard run.child.output.drain(&room, sink) || cutsOutput else { break }
      _ = ended.popFirst()
      members[run.number] = nil
      byChannel[run.child.results.readEnd] = nil
      taken.append(run)
    }
    return taken
  }

  /// Passes on at most a bounded part of the output of each command that has ended, or ends from now on.
  mutating func cutOutput() { cutsOutput = true }

  /// Asks all commands to end, because their tasks are requeued.
  mutating func interrupt() {
    cutOutput()
    for run in members.values { end(run, .interrupted) }
  }

  /// Asks a command to end, unless it was asked before; it is killed after `killAfter`.
  mutating func end(_ run: Member, _ outcome: Outcome? = nil) {
    guard !run.isEnding else { return }
    (run.isEnding, run.forcedEnd) = (true, outcome)
    run.killTime = .after(killAfter)
    setTimer(for: run)
    run.child.terminate()
  }

  func kill() {
    for run in members.values { run.child.kill() }
  }

  // MARK: Input and output

  func watch(on loop: inout EventLoop) {
    for run in members.values {
      if !run.isMuted { loop.watch(run.child.results.readEnd) }
      if run.end == nil { run.child.output.watch(on: &loop) }
    }
    if let run = ended.first, run.child.output.isBlocked { run.child.output.watch(on: &loop) }
  }

  /// The commands that have written results.
  func withResults(_ ready: DescriptorSet) -> [Member] { ready.compactMap { byChannel[$0] } }

  /// Reads what commands have written to stdout and stderr.
  func readOutput(_ ready: DescriptorSet, _ sink: CommandOutput.Sink) {
    if let output = ended.first?.child.output, output.isBlocked, output.isReady(ready) { output.unblock() }
    for run in members.values where run.end == nil && run.child.output.isReady(ready) {
      run.child.output.readLines(sink)
    }
  }
}
