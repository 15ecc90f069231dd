internal import AMQP
internal import Glibc

/// A command that runs, and when it is made to end.
///
/// A runner adds what its commands work on.
class Run {
  let number: Int
  let child: Child
  let started: Deadline
  /// When its runner has to look at it, while nobody has asked it to end.
  fileprivate var limit = Deadline.never
  /// Whether it was asked to end, what its work comes to by that, and when it is killed for not having ended.
  fileprivate(set) var isEnding = false
  fileprivate(set) var forcedEnd: Outcome?
  fileprivate var killTime = Deadline.never
  /// The earliest of these times that a timer was set for.
  fileprivate var timer = Deadline.never
  /// Whether its results are not read any more.
  var isMuted = false

  init(number: Int, _ child: Child, started: Deadline) {
    (self.number, self.child, self.started) = (number, child, started)
  }
}

/// The commands that run: each ends by itself, or is asked to (TERM) and killed when that does not end it.
struct Runs<Member: Run> {
  private let killAfter: Duration
  private var members: [Int: Member] = [:]
  private var byPID: [pid_t: Member] = [:]
  private var byChannel: [Int32: Member] = [:]
  private var timers = Timers()

  init(killAfter: Duration) {
    self.killAfter = killAfter
  }

  var count: Int { members.count }
  var all: some Sequence<Member> { members.values }
  var nextDeadline: Deadline { timers.next }

  mutating func add(_ run: Member, limit: Deadline = .never) {
    members[run.number] = run
    byPID[run.child.pid] = run
    byChannel[run.child.results.readEnd] = run
    setLimit(limit, of: run)
  }

  /// The command that has this process; nil when it is none of them.
  func of(pid: pid_t) -> Member? { byPID[pid] }

  /// Takes out the command that has this process, which has ended.
  mutating func remove(pid: pid_t) -> Member? {
    guard let run = byPID.removeValue(forKey: pid) else { return nil }
    members[run.number] = nil
    byChannel[run.child.results.readEnd] = nil
    return run
  }

  // MARK: Time

  /// Changes when `nextDue(_:)` returns a command.
  mutating func setLimit(_ limit: Deadline, of run: Member) {
    run.limit = limit
    setTimer(for: run)
  }

  private mutating func setTimer(for run: Member) {
    let due = run.isEnding ? run.killTime : run.limit
    guard due < run.timer else { return }
    run.timer = due
    timers.set(due, for: run.number) { members[$0] != nil }
  }

  /// Kills commands that have not ended in time, and returns one whose limit has come; the limit is none after that.
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

  // MARK: Ends

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
      for descriptor in run.child.output.descriptors { loop.watch(descriptor) }
    }
  }

  /// The commands that have written results.
  func withResults(_ ready: [Int32]) -> [Member] { ready.compactMap { byChannel[$0] } }

  /// Reads what commands have written to stdout and stderr.
  func readOutput(_ ready: [Int32], _ sink: CommandOutput.Sink) {
    let ready = Set(ready)
    for run in members.values where run.child.output.descriptors.contains(where: ready.contains) {
      run.child.output.readLines(sink)
    }
  }
}
