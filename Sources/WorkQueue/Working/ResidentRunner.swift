internal import AMQP

/// Runs resident commands: each is started once, reads tasks from stdin, and writes results to its result channel.
///
/// A task that a command cannot have started has used no attempt: it is sent to the next process.
final class ResidentRunner: Runner {
  /// After which time without a result a hint is reported, if there is no time limit.
  private static let silence = Duration.seconds(30)

  private let command: Command
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private let format: TaskFormat
  private let window: Int
  private let maxTasks: Int
  /// In the order of their starts.
  private var processes: [ResidentProcess] = []
  private var runs: Runs<ResidentProcess>
  private var started = 0
  private var startDelay = StartDelay()
  /// Tasks that no process has.
  private var waiting = Fifo<Job>()
  private var results: [JobResult] = []
  /// Number of tasks without a result.
  private var outstanding = 0
  private var hasWarned = false
  private var isInterrupted = false

  init(
    _ command: Command.Options, _ format: TaskFormat, window: Int, maxTasks: Int?, _ context: WorkerContext
  ) {
    (self.command, self.context, self.format) = (Command(command), context, format)
    (self.window, self.maxTasks) = (window, maxTasks ?? .max)
    runs = Runs(killAfter: command.killAfter)
    // One descriptor for stdin, in addition to those of the result channel, stdout and stderr.
    Files.raiseLimit(toHold: 7 * context.options.jobs)
  }

  var room: Int { options.jobs * window - outstanding }

  var nextDeadline: Deadline {
    guard results.isEmpty else { return .past }
    let canStart = !waiting.isEmpty && processes.count < options.jobs
    return canStart ? min(runs.nextDeadline, startDelay.end) : runs.nextDeadline
  }

  // MARK: Tasks

  func start(_ job: Job) -> JobResult? {
    if let objection = format.objection(to: job.delivery.message.body) {
      return JobResult(job: job, outcome: .invalidTask(objection))
    }
    context.started(job)
    outstanding += 1
    waiting.append(job)
    return nil
  }

  func step(_ now: Deadline) -> [JobResult] {
    while let process = runs.nextDue(now) { check(process) }
    settleEnded()
    return takeResults()
  }

  private func takeResults() -> [JobResult] {
    defer { results.removeAll(keepingCapacity: true) }
    return results
  }

  /// Gives waiting tasks to processes with a free place, and starts processes for them.
  private func distribute() {
    guard !waiting.isEmpty else { return }
    let now = Deadline.now
    while !waiting.isEmpty, let process = freeProcess(now), let job = waiting.popFirst() {
      process.add(job, now)
      if process.load == 1 { setLimit(of: process) }
    }
  }

  /// The process with the fewest tasks, or a new one when all have tasks.
  private func freeProcess(_ now: Deadline) -> ResidentProcess? {
    var best: ResidentProcess?
    for process in processes
    where process.isWorking && process.load < min(window, best?.load ?? .max)
      && process.given < maxTasks
    {
      best = process
      if process.load == 0 { return process }
    }
    guard processes.count < options.jobs, startDelay.end <= now else { return best }
    return startProcess() ?? best
  }

  private func startProcess() -> ResidentProcess? {
    do throws(Command.Failure) {
      started += 1
      let (child, input) = try command.startResident(queue: options.queue, number: started)
      let process = ResidentProcess(
        number: started, round: startDelay.round, child, input, queue: options.queue, format)
      processes.append(process)
      runs.add(process)
      return process
    } catch {
      switch error {
      case .invalidTask(let reason): giveUp(.unrunnable(reason, isTemporary: false))
      case .unrunnable(let reason, let isTemporary): giveUp(.unrunnable(reason, isTemporary: isTemporary))
      }
      return nil
    }
  }

  /// The command cannot be run: the tasks that no process has end with this outcome.
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

  // MARK: Time

  private func setLimit(of process: ResidentProcess) {
    runs.setLimit(limit(of: process), of: process)
  }

  /// When a process needs attention: its oldest task takes too long, or it does not exit.
  private func limit(of process: ResidentProcess) -> Deadline {
    guard process.load > 0 else { return process.idleEnd.map { $0 + command.options.killAfter } ?? .never }
    if let timeout = command.options.timeout { return process.oldestSince + timeout }
    return hasWarned ? .never : process.oldestSince + Self.silence
  }

  private func check(_ process: ResidentProcess) {
    guard let job = process.oldest else { return runs.end(process) }
    if let timeout = command.options.timeout { return end(process, .timedOut(timeout)) }
    guard !hasWarned else { return }
    hasWarned = true
    report(.noResult(job, after: Self.silence))
  }

  /// Asks a process to stop; its oldest task ends with `outcome`.
  private func end(_ process: ResidentProcess, _ outcome: Outcome) {
    guard !process.isEnding else { return }
    if let job = process.oldest { process.victim = (job.number, outcome) }
    runs.end(process)
  }

  /// Closes a process' stdin; it may finish.
  private func close(_ process: ResidentProcess, _ now: Deadline) {
    process.close(now)
    setLimit(of: process)
  }

  // MARK: Input and output

  func watch(on loop: inout EventLoop) {
    distribute()
    for process in processes {
      if process.isWorking {
        process.flush()
        if process.input.hasNoReader { stopGiving(to: process) }
      }
      if process.input.isOpen, process.end == nil {
        // An end without a reader is ready, too.
        loop.watch(process.input.writeEnd, forReading: false, forWriting: process.input.hasUnsent)
      }
    }
    runs.watch(on: &loop)
  }

  /// A process reads no more: tasks that it has not read are sent to another one, when it has exited.
  private func stopGiving(to process: ResidentProcess) {
    waiting.prepend(process.takeUnread())
    close(process, .now)
  }

  func read(_ ready: DescriptorSet) {
    let now = Deadline.now
    for process in runs.withResults(ready) { readResults(of: process, turns: 1, now) }
    for process in processes
    where process.isWorking && !process.input.hasUnsent && ready.contains(process.input.writeEnd) {
      stopGiving(to: process)
    }
    runs.readOutput(ready, show)
  }

  private func readResults(of process: ResidentProcess, turns: Int, _ now: Deadline) {
    let channel = process.child.results
    for _ in 0..<turns {
      guard !process.isMuted, channel.fill() else { return }
      while let line = channel.nextLine() {
        guard let result = ResultLine(line), let job = process.take(result.task, now) else {
          process.isMuted = true
          end(process, .noResult(ResultChannel.complaint(about: line)))
          break
        }
        take(result, of: job, process, now)
      }
      setLimit(of: process)
    }
  }

  private func take(_ result: ResultLine, of job: Job, _ process: ResidentProcess, _ now: Deadline) {
    if let victim = process.victim, victim.task == job.number {
      process.victim = nil
      finish(job, victim.outcome, at: now)
    } else {
      finish(job, options.policy.outcome(of: result.status), result, at: now)
    }
    startDelay.reset()
    if process.isWorking, process.results >= maxTasks { process.close(now) }
  }

  private func show(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    report(.output(stream, bytes))
  }

  // MARK: Ends

  func ended(_ pid: Int32) -> [JobResult]? {
    guard runs.reap(pid: pid) else { return nil }
    settleEnded()
    return takeResults()
  }

  /// Settles the tasks of the processes that have ended and whose output is handed on.
  private func settleEnded() {
    for process in runs.takeEnded(show) {
      let now = Deadline.now
      // The group is killed, so that nothing is written after what we read.
      readResults(of: process, turns: 16, now)
      processes.removeAll { $0 === process }
      settle(process, Outcome(waitStatus: process.end?.status ?? 0), process.child.output.tail, now)
      process.input.close()
    }
  }

  /// Decides what becomes of the tasks of a process that has ended.
  private func settle(_ process: ResidentProcess, _ end: Outcome, _ stderr: [UInt8], _ now: Deadline) {
    if process.isEnding {
      if let victim = process.victim, let job = process.takeOldest(now) {
        finish(job, victim.outcome, stderr: stderr, at: now)
      }
      if isInterrupted { for job in process.takeAll() { finish(job, .interrupted, at: now) } }
      return waiting.prepend(process.takeAll())
    }
    if case .exited(let status) = end, case .unrunnable = options.policy.outcome(of: status) {
      waiting.prepend(process.takeAll())
      return giveUp(options.policy.outcome(of: status))
    }
    if process.results == 0, process.given > 0 {
      waiting.prepend(process.takeAll())
      return failedToStart(process, end, now)
    }
    waiting.prepend(process.takeUnread())
    guard let job = process.takeOldest(now) else { return }
    finish(job, .noResult("ended without a result: \(end.description)"), stderr: stderr, at: now)
    waiting.prepend(process.takeAll())
  }

  private func failedToStart(_ process: ResidentProcess, _ end: Outcome, _ now: Deadline) {
    guard let delay = startDelay.failed(in: process.round, now) else { return }
    guard startDelay.isExhausted else { return report(.commandEnded(reason: end.description, retry: delay)) }
    let times = "\(startDelay.failures) times in a row (\(end.description))"
    giveUp(
      .unrunnable("cannot run the command: it ended before its first result \(times)", isTemporary: false))
  }

  func stopped(_ pid: Int32, by signal: Int32) {
    guard let job = runs.of(pid: pid)?.oldest else { return }
    report(.commandStopped(job, signal: signal))
  }

  func interrupt() -> [JobResult] {
    isInterrupted = true
    while let job = waiting.popFirst() { finish(job, .interrupted) }
    for process in processes {
      process.input.close()
      runs.end(process)
    }
    runs.cutOutput()
    settleEnded()
    return takeResults()
  }

  /// Closes the processes' stdin; they may finish.
  func close() -> Bool {
    let now = Deadline.now
    for process in processes where process.isWorking { close(process, now) }
    return processes.isEmpty
  }

  func kill() {
    runs.kill()
  }
}
