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
  /// What wait(2) says of its end, and when that was found out; nil while it runs.
  fileprivate(set) var end: (status: Int32, time: Deadline)?
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
  /// Those that have ended, until all of their output is handed on, one after the other.
  private var ended = Fifo<Member>()
  /// Whether the output of what has ended is cut off, because the work is given up.
  private var cutsOutput = false
  private let past = Deadline.now

  init(killAfter: Duration) {
    self.killAfter = killAfter
  }

  var count: Int { members.count }
  var all: some Sequence<Member> { members.values }
  var nextDeadline: Deadline {
    guard let first = ended.first, !first.child.output.isBlocked else { return timers.next }
    return past
  }

  mutating func add(_ run: Member, limit: Deadline = .never) {
    members[run.number] = run
    byPID[run.child.pid] = run
    byChannel[run.child.results.readEnd] = run
    setLimit(limit, of: run)
  }

  /// The command that has this process; nil when it is none of them.
  func of(pid: pid_t) -> Member? { byPID[pid] }

  // MARK: Time

  /// Changes when `nextDue(_:)` returns a command.
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

  /// Reaps the command that has this process, which has ended; `takeEnded(_:)` returns it.
  ///
  /// - Returns: whether it is one of them.
  mutating func reap(pid: pid_t) -> Bool {
    guard let run = byPID.removeValue(forKey: pid) else { return false }
    run.end = (run.child.reap(), .now)
    (run.limit, run.killTime) = (.never, .never)
    ended.append(run)
    return true
  }

  /// Hands on a bounded part of the output of those that have ended, and takes out those of which that was the last.
  ///
  /// A file of gigabytes, or a reader that does not read, delays nothing else.
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

  /// Hands on no more than a bounded part of the output of what has ended, or ends from now on.
  mutating func cutOutput() { cutsOutput = true }

  /// Asks all commands to end, because their work is given up.
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
  func withResults(_ ready: [Int32]) -> [Member] { ready.compactMap { byChannel[$0] } }

  /// Reads what commands have written to stdout and stderr.
  func readOutput(_ ready: [Int32], _ sink: CommandOutput.Sink) {
    let ready = Set(ready)
    if let output = ended.first?.child.output, output.isBlocked, output.isReady(ready) { output.unblock() }
    for run in members.values where run.end == nil && run.child.output.isReady(ready) {
      run.child.output.readLines(sink)
    }
  }
}
