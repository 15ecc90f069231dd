internal import AMQP
internal import Glibc

/// Has commands work on task after task: each is started once, reads tasks from its stdin, and writes results to its
/// result channel.
///
/// A task that a command cannot have begun is no attempt: it goes to the next process.
final class ResidentRunner: Runner {
  /// How long the start of a command waits that ended before its first result, and how often in a row that may be.
  private static let firstDelay = Duration.milliseconds(100)
  private static let longestDelay = Duration.seconds(30)
  private static let mostFailures = 5
  /// How long a result may take until people are told what could be wrong, where no time limit ends it.
  private static let silence = Duration.seconds(30)

  private let command: Command
  private let options: Worker.Options
  private let format: TaskFormat
  private let window: Int
  private let maxTasks: Int
  private let report: (WorkerEvent) -> Void
  private var processes: [ResidentProcess] = []
  private var byPID: [pid_t: ResidentProcess] = [:]
  private var byNumber: [Int: ResidentProcess] = [:]
  private var started = 0
  /// Tasks that no process has.
  private var waiting = Fifo<Job>()
  private var results: [JobResult] = []
  private var timers = Timers()
  /// How many tasks are without a result.
  private var outstanding = 0
  /// How many processes in a row have ended before their first result, and when the next may be started.
  private var failures = 0
  /// Counts such ends for good; those of processes that were started together are one.
  private var round = 0
  private var nextStart = Deadline.now
  private var hasWarned = false
  private let past = Deadline.now

  init(
    _ command: Command.Options, _ options: Worker.Options, _ format: TaskFormat, window: Int, maxTasks: Int?,
    report: @escaping (WorkerEvent) -> Void
  ) {
    (self.command, self.options, self.format) = (Command(command), options, format)
    (self.window, self.maxTasks, self.report) = (window, maxTasks ?? .max, report)
    // Stdin has one descriptor more than the result channel, stdout and stderr.
    Files.raiseLimit(toHold: 7 * options.jobs)
  }

  deinit {
    close()
  }

  var room: Int { options.jobs * window - outstanding }

  var nextDeadline: Deadline {
    guard results.isEmpty else { return past }
    return waiting.isEmpty || processes.count >= options.jobs ? timers.next : min(timers.next, nextStart)
  }

  // MARK: Tasks

  func start(_ job: Job) -> JobResult? {
    if let objection = format.objection(to: job.delivery.message.body) {
      return JobResult(job: job, outcome: .unfit(objection))
    }
    report(.started(job))
    outstanding += 1
    waiting.append(job)
    distribute(.now)
    return nil
  }

  func step(_ now: Deadline) -> [JobResult] {
    while let number = timers.popDue(now) {
      guard let process = byNumber[number] else { continue }
      process.timer = .never
      check(process, now)
      schedule(process)
    }
    distribute(now)
    return takeResults()
  }

  private func takeResults() -> [JobResult] {
    defer { results.removeAll(keepingCapacity: true) }
    return results
  }

  /// Gives the tasks that wait to processes that have room for them, and starts processes for them.
  private func distribute(_ now: Deadline) {
    while !waiting.isEmpty, let process = freeProcess(now), let job = waiting.popFirst() {
      process.add(job, now)
      if process.load == 1 { schedule(process) }
    }
  }

  /// The process with the fewest tasks, or a new one when none has nothing to do.
  private func freeProcess(_ now: Deadline) -> ResidentProcess? {
    var best: ResidentProcess?
    for process in processes
    where process.state == .working && process.load < min(window, best?.load ?? .max)
      && process.given < maxTasks
    {
      best = process
      if process.load == 0 { return process }
    }
    guard processes.count < options.jobs, nextStart <= now else { return best }
    return startProcess() ?? best
  }

  private func startProcess() -> ResidentProcess? {
    do throws(Command.Failure) {
      started += 1
      let (child, input) = try command.startResident(queue: options.queue, number: started)
      let process = ResidentProcess(number: started, round: round, child, input, queue: options.queue, format)
      processes.append(process)
      byPID[child.pid] = process
      byNumber[process.number] = process
      return process
    } catch {
      switch error {
      case .unfit(let reason): giveUp(.unrunnable(reason, isTemporary: false))
      case .unrunnable(let reason, let isTemporary): giveUp(.unrunnable(reason, isTemporary: isTemporary))
      }
      return nil
    }
  }

  /// The command cannot be run: the tasks that no process has are not worked on.
  private func giveUp(_ outcome: Outcome) {
    while let job = waiting.popFirst() { finish(job, outcome) }
  }

  private func finish(
    _ job: Job, _ outcome: Outcome, _ line: ResultLine? = nil, stderr: [UInt8] = [], at now: Deadline = .now
  ) {
    outstanding -= 1
    results.append(
      JobResult(
        job: job, outcome: outcome, took: now - job.started, stderr: stderr, reason: line?.reason,
        retryIn: line?.retryIn))
  }

  /// Puts tasks in front of those that wait.
  private func putBack(_ jobs: [Job]) {
    guard !jobs.isEmpty else { return }
    var all = Fifo(jobs)
    while let job = waiting.popFirst() { all.append(job) }
    waiting = all
  }

  // MARK: Time

  private func schedule(_ process: ResidentProcess) {
    let due = due(process)
    guard due < process.timer else { return }
    process.timer = due
    timers.set(due, for: process.number) { byNumber[$0] != nil }
  }

  private func due(_ process: ResidentProcess) -> Deadline {
    guard process.state != .ending else { return process.endTime }
    guard process.load > 0 else { return process.state == .closing ? process.endTime : .never }
    if let timeout = command.options.timeout { return process.oldestSince + timeout }
    return hasWarned ? .never : process.oldestSince + Self.silence
  }

  private func check(_ process: ResidentProcess, _ now: Deadline) {
    guard due(process) <= now else { return }
    guard process.state != .ending else {
      process.child.kill()
      process.endTime = .never
      return
    }
    guard let job = process.oldest else { return end(process, nil, now) }
    if let timeout = command.options.timeout { return end(process, .timedOut(timeout), now) }
    hasWarned = true
    report(.noResult(job, after: Self.silence))
  }

  /// Asks a process to end; its oldest task has come to `outcome`.
  private func end(_ process: ResidentProcess, _ outcome: Outcome?, _ now: Deadline) {
    guard process.state != .ending else { return }
    process.state = .ending
    if let outcome, let job = process.oldest { process.victim = (job.number, outcome) }
    process.endTime = now + command.options.killAfter
    process.child.terminate()
    schedule(process)
  }

  /// Closes a process' stdin; it may finish.
  private func close(_ process: ResidentProcess, _ now: Deadline) {
    process.state = .closing
    process.endTime = now + command.options.killAfter
    process.input.close()
    schedule(process)
  }

  // MARK: Input and output

  func watch(on loop: inout EventLoop) {
    for process in processes {
      if process.state == .working {
        process.flush()
        if process.input.hasNoReader { stopGiving(to: process) }
      }
      if process.input.isOpen {
        // An end without a reader is ready, too.
        loop.watch(process.input.writeEnd, forReading: false, forWriting: process.input.hasUnsent)
      }
      if !process.isMuted { loop.watch(process.child.results.readEnd) }
      process.child.output.watch(on: &loop)
    }
  }

  /// A process reads no more: what it has not read goes to another one, when it has ended.
  private func stopGiving(to process: ResidentProcess) {
    putBack(process.takeUnread())
    close(process, .now)
  }

  func read(_ ready: [Int32]) {
    let now = Deadline.now
    let ready = Set(ready)
    for process in processes {
      if ready.contains(process.child.results.readEnd) { readResults(of: process, turns: 1, now) }
      if ready.contains(process.input.writeEnd), process.state == .working, !process.input.hasUnsent {
        stopGiving(to: process)
      }
      if process.child.output.isReady(ready) {
        process.child.output.readLines(show)
      }
    }
  }

  private func readResults(of process: ResidentProcess, turns: Int, _ now: Deadline) {
    let channel = process.child.results
    for _ in 0..<turns {
      guard !process.isMuted, channel.fill() else { return }
      while let line = channel.nextLine() {
        guard let result = ResultLine(line), let job = process.take(result.task, now) else {
          process.isMuted = true
          end(process, .noResult(ResultChannel.complaint(about: line)), now)
          break
        }
        take(result, of: job, process, now)
      }
    }
  }

  private func take(_ result: ResultLine, of job: Job, _ process: ResidentProcess, _ now: Deadline) {
    if let victim = process.victim, victim.task == job.number {
      process.victim = nil
      finish(job, victim.outcome, at: now)
    } else {
      finish(job, options.policy.outcome(of: result.status), result, at: now)
    }
    failures = 0
    switch process.state {
    case .working: if process.results >= maxTasks { return close(process, now) }
    case .closing: process.endTime = now + command.options.killAfter
    case .ending: break
    }
    schedule(process)
  }

  private func show(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    report(.output(stream, bytes))
  }

  // MARK: Ends

  func ended(_ pid: Int32) -> [JobResult]? {
    guard let process = byPID.removeValue(forKey: pid) else { return nil }
    let now = Deadline.now
    // The group is killed first, so that nothing is written after what we read.
    let status = process.child.reap()
    readResults(of: process, turns: 16, now)
    byNumber[process.number] = nil
    processes.removeAll { $0 === process }
    let stderr = process.child.output.finish(show)
    settle(process, Outcome(waitStatus: status), stderr, now)
    process.input.close()
    distribute(now)
    return takeResults()
  }

  /// Decides what becomes of the tasks of a process that has ended.
  private func settle(_ process: ResidentProcess, _ end: Outcome, _ stderr: [UInt8], _ now: Deadline) {
    if process.state == .ending {
      if let victim = process.victim, let job = process.takeOldest(now) {
        finish(job, victim.outcome, stderr: stderr, at: now)
      }
      if isInterrupted { for job in process.takeAll() { finish(job, .interrupted, at: now) } }
      return putBack(process.takeAll())
    }
    if case .exited(let status) = end, case .unrunnable = options.policy.outcome(of: status) {
      putBack(process.takeAll())
      return giveUp(options.policy.outcome(of: status))
    }
    if process.results == 0, process.given > 0 {
      putBack(process.takeAll())
      return failedToStart(process, end, now)
    }
    putBack(process.takeUnread())
    guard let job = process.takeOldest(now) else { return }
    finish(job, .noResult("ended without a result: \(end.words)"), stderr: stderr, at: now)
    putBack(process.takeAll())
  }

  private func failedToStart(_ process: ResidentProcess, _ end: Outcome, _ now: Deadline) {
    guard process.round == round else { return }
    (round, failures) = (round + 1, failures + 1)
    guard failures < Self.mostFailures else {
      return giveUp(
        .unrunnable(
          "cannot run the command: it ended before its first result \(failures) times in a row (\(end.words))",
          isTemporary: false))
    }
    let delay = min(Self.firstDelay * (1 << (failures - 1)), Self.longestDelay)
    nextStart = now + delay
    report(.commandEnded(reason: end.words, retry: delay))
  }

  func stopped(_ pid: Int32, by signal: Int32) {
    guard let job = byPID[pid]?.oldest else { return }
    report(.commandStopped(job, signal: signal))
  }

  private var isInterrupted = false

  func interrupt() -> [JobResult] {
    isInterrupted = true
    while let job = waiting.popFirst() { finish(job, .interrupted) }
    for process in processes {
      process.input.close()
      end(process, nil, .now)
    }
    return takeResults()
  }

  func kill() {
    for process in processes { process.child.kill() }
  }

  /// Ends all processes when there is nothing more to do: they find the end of their stdin, and may finish.
  ///
  /// The one thing that waits; a signal ends that.
  private func close() {
    guard !processes.isEmpty else { return }
    guard let signals = try? Signals([SIGINT, SIGTERM, SIGHUP, SIGQUIT], requestsEndAfter: 1) else { return }
    for process in processes where process.state == .working { close(process, .now) }
    while true {
      // First of all: a process may have ended before its signal was caught.
      while case .ended(let pid)? = Child.nextChange() {
        if ended(pid) == nil { Child.reap(pid) }
      }
      _ = step(.now)
      if processes.isEmpty { return }
      var loop = EventLoop()
      loop.watch(signals.descriptor)
      loop.watch(signals.childDescriptor)
      watch(on: &loop)
      loop.wait(until: timers.next)
      if let signal = signals.receive().last {
        Child.killAll()
        Signals.die(by: signal)
      }
      read(loop.ready)
      signals.receiveChildren()
    }
  }
}
