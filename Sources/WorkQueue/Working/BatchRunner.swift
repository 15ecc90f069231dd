internal import AMQP
internal import Glibc

/// Runs the command for many tasks at a time.
///
/// 1. A batch starts when it is full, when it has waited for long enough, or when no more tasks are to be expected.
/// 2. Only a task that ran alone, or that has a line of its own on the result channel, is charged with an attempt: a batch
///    that fails without a word about single tasks is halved, and each half run again.
final class BatchRunner: Runner {
  /// Tasks that run together.
  private struct Batch {
    var jobs: [Job]
    /// Whether its tasks have been in a larger batch that failed.
    var isRerun = false
  }

  private struct Run {
    let jobs: [Job]
    let child: Child
    let started: Deadline
    /// What the command has written of each task.
    var lines: [ResultLine?]
    /// The first of its tasks without a line.
    var oldest = 0
    /// How it ends, if we have asked it to end.
    var forcedEnd: Outcome?
    /// When a command that was asked to end is killed.
    var killTime = Deadline.never
  }

  /// A batch whose bodies have this many bytes is full.
  private static let mostBytes = 16 << 20
  /// Where the worker exits when its queue is empty, a batch waits no longer than this for its next task.
  private static let drainWait = Duration.milliseconds(20)

  private let command: Command
  private let options: Worker.Options
  private let size: Int
  private let wait: Duration
  private let format: TaskFormat
  private let report: (WorkerEvent) -> Void
  /// When the worker takes no more tasks.
  private let end: Deadline
  private let past = Deadline.now

  /// Tasks that wait for others to join them, their bytes, and until when.
  private var forming: [Job] = []
  private var formingBytes = 0
  private var formingEnd = Deadline.never
  /// Batches that wait for one that runs to end.
  private var ready = Fifo<Batch>()
  private var runs: [Int: Run] = [:]
  private var numbers: [pid_t: Int] = [:]
  private var started = 0
  private var timers = Timers()
  private var outstanding = 0
  private var results: [JobResult] = []
  private var isInterrupted = false

  init(
    _ command: Command.Options, _ options: Worker.Options, size: Int, wait: Duration, _ format: TaskFormat,
    report: @escaping (WorkerEvent) -> Void
  ) {
    (self.command, self.options, self.report) = (Command(command), options, report)
    (self.size, self.wait, self.format) = (size, wait, format)
    end = options.bounds.maxTime.map { .after($0) } ?? .never
    Files.raiseLimit(toHold: 6 * options.jobs)
  }

  /// None while full batches wait, so that memory has a bound.
  var room: Int { ready.isEmpty ? options.jobs * size - outstanding : 0 }

  var nextDeadline: Deadline {
    if !results.isEmpty || mustRequeue { return past }
    return runs.count < options.jobs ? min(timers.next, formingEnd) : timers.next
  }

  /// Whether a signal has asked to stop while there are tasks that do not run.
  private var mustRequeue: Bool { Signals.stop != nil && !(forming.isEmpty && ready.isEmpty) }

  // MARK: Tasks

  func start(_ job: Job) -> JobResult? {
    let body = job.delivery.message.body
    if let objection = command.objection(toArgument: body) {
      return JobResult(job: job, outcome: .unfit(objection))
    }
    outstanding += 1
    guard format.objection(to: body) == nil else {
      ready.append(Batch(jobs: [job]))
      launch(.now)
      return nil
    }
    let now = Deadline.now
    if forming.isEmpty { formingEnd = min(now + wait, end) }
    if options.bounds.drains {
      formingEnd = min(formingEnd, now + max(wait < Self.drainWait ? wait : Self.drainWait, .zero))
    }
    forming.append(job)
    formingBytes += body.count
    if forming.count >= size || formingBytes >= Self.mostBytes || job.number == options.bounds.count {
      close()
    }
    launch(now)
    return nil
  }

  /// The batch that is forming is complete.
  private func close() {
    guard !forming.isEmpty else { return }
    ready.append(Batch(jobs: forming))
    (forming, formingBytes, formingEnd) = ([], 0, .never)
  }

  /// Starts what is ready, as many batches as there are jobs.
  private func launch(_ now: Deadline) {
    while runs.count < options.jobs {
      if ready.isEmpty, formingEnd <= now { close() }
      guard let batch = ready.popFirst() else { return }
      run(batch, now)
    }
  }

  private func run(_ batch: Batch, _ now: Deadline) {
    started += 1
    do throws(Command.Failure) {
      let child = try command.startBatch(batch.jobs, format, queue: options.queue, number: started)
      let lines = [ResultLine?](repeating: nil, count: batch.jobs.count)
      runs[started] = Run(jobs: batch.jobs, child: child, started: now, lines: lines)
      numbers[child.pid] = started
    } catch {
      switch error {
      case .unfit where batch.jobs.count > 1: return halve(batch.jobs)
      case .unfit(let reason): return finish(batch.jobs[0], .unfit(reason))
      case .unrunnable(let reason, let isTemporary):
        return giveUp(batch.jobs, .unrunnable(reason, isTemporary: isTemporary))
      }
    }
    if !batch.isRerun { for job in batch.jobs { report(.started(job)) } }
    if let timeout = command.options.timeout { setTimer(now + timeout, started) }
  }

  /// Has tasks that failed together run in two halves, before all others.
  private func halve(_ jobs: [Job]) {
    guard !jobs.isEmpty else { return }
    let half = (jobs.count + 1) / 2
    let halves = jobs.count == 1 ? [jobs[...]] : [jobs[..<half], jobs[half...]]
    var all = Fifo(halves.map { Batch(jobs: Array($0), isRerun: true) })
    while let batch = ready.popFirst() { all.append(batch) }
    ready = all
  }

  private func finish(
    _ job: Job, _ outcome: Outcome, _ line: ResultLine? = nil, took: Duration = .zero, stderr: [UInt8] = []
  ) {
    outstanding -= 1
    results.append(
      JobResult(
        job: job, outcome: outcome, took: took, stderr: stderr, reason: line?.reason, retryIn: line?.retryIn))
  }

  /// The command cannot be run: neither are the tasks that wait.
  private func giveUp(_ jobs: [Job], _ outcome: Outcome) {
    for job in jobs { finish(job, outcome) }
    close()
    while let batch = ready.popFirst() {
      for job in batch.jobs { finish(job, outcome) }
    }
  }

  private func takeResults() -> [JobResult] {
    defer { results.removeAll(keepingCapacity: true) }
    return results
  }

  // MARK: Time

  func step(_ now: Deadline) -> [JobResult] {
    while let number = timers.popDue(now) {
      guard let run = runs[number] else { continue }
      if run.forcedEnd == nil, let timeout = command.options.timeout {
        end(number, .timedOut(timeout))
      } else if run.killTime <= now {
        run.child.kill()
      }
    }
    if mustRequeue { requeue() }
    launch(now)
    return takeResults()
  }

  /// Has the tasks requeued that do not run.
  private func requeue() {
    close()
    while let batch = ready.popFirst() {
      for job in batch.jobs { finish(job, .interrupted) }
    }
  }

  private func setTimer(_ time: Deadline, _ number: Int) {
    timers.set(time, for: number) { runs[$0] != nil }
  }

  private func end(_ number: Int, _ outcome: Outcome) {
    guard var run = runs[number], run.forcedEnd == nil else { return }
    run.forcedEnd = outcome
    run.killTime = .after(command.options.killAfter)
    runs[number] = run
    setTimer(run.killTime, number)
    run.child.terminate()
  }

  func interrupt() -> [JobResult] {
    isInterrupted = true
    requeue()
    for number in runs.keys { end(number, .interrupted) }
    return takeResults()
  }

  func kill() {
    for run in runs.values { run.child.kill() }
  }

  // MARK: Input and output

  func watch(on loop: inout EventLoop) {
    for run in runs.values {
      if run.forcedEnd == nil { loop.watch(run.child.results.readEnd) }
      run.child.output.watch(on: &loop)
    }
  }

  func read(_ ready: [Int32]) {
    for (number, var run) in runs {
      if ready.contains(run.child.results.readEnd) {
        let complaint = readLines(&run, turns: 1)
        runs[number] = run
        if let complaint { end(number, .noResult(complaint)) }
      }
      if run.child.output.isReady(ready) { run.child.output.readLines(show) }
    }
  }

  /// Takes what the command has written of single tasks.
  ///
  /// - Returns: what is wrong with it.
  private func readLines(_ run: inout Run, turns: Int) -> String? {
    let channel = run.child.results
    for _ in 0..<turns {
      guard run.forcedEnd == nil, channel.fill() else { break }
      while let line = channel.nextLine() {
        guard let result = ResultLine(line), let index = index(of: result, run) else {
          channel.discard()
          return ResultChannel.complaint(about: line)
        }
        run.lines[index] = result
        while run.oldest < run.jobs.count, run.lines[run.oldest] != nil { run.oldest += 1 }
      }
    }
    return nil
  }

  /// Which of the tasks a line is for; nil when that has one, or is none.
  private func index(of line: ResultLine, _ run: Run) -> Int? {
    let index = line.task.map { $0 - 1 } ?? run.oldest
    return run.lines.indices.contains(index) && run.lines[index] == nil ? index : nil
  }

  private func show(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    report(.output(stream, bytes))
  }

  // MARK: Ends

  func ended(_ pid: Int32) -> [JobResult]? {
    guard let number = numbers.removeValue(forKey: pid), var run = runs.removeValue(forKey: number) else {
      return nil
    }
    let now = Deadline.now
    let status = run.child.reap()
    if let complaint = readLines(&run, turns: 16) { run.forcedEnd = .noResult(complaint) }
    let stderr = run.child.output.finish(show)
    settle(run, run.forcedEnd ?? Outcome(waitStatus: status), stderr, took: now - run.started)
    if mustRequeue || isInterrupted { requeue() }
    launch(now)
    return takeResults()
  }

  /// Decides what becomes of the tasks of a run that has ended.
  private func settle(_ run: Run, _ end: Outcome, _ stderr: [UInt8], took: Duration) {
    var rest: [Job] = []
    for (job, line) in zip(run.jobs, run.lines) {
      if let line {
        finish(job, options.policy.outcome(of: line.status), line, took: took)
      } else {
        rest.append(job)
      }
    }
    guard !rest.isEmpty else { return }
    switch end {
    case .exited(let status):
      let outcome = options.policy.outcome(of: status)
      if case .unrunnable = outcome { return giveUp(rest, outcome) }
      if status == 0 || options.policy.onExit[status] == .acknowledge {
        for job in rest { finish(job, outcome, took: took) }
        return
      }
    case .interrupted:
      for job in rest { finish(job, .interrupted, took: took) }
      return
    // The line is nobody else's fault, but the tasks after it have no result.
    case .noResult: finish(rest.removeFirst(), end, took: took, stderr: stderr)
    default: break
    }
    if run.jobs.count == 1, let job = rest.first {
      finish(job, end, took: took, stderr: stderr)
    } else {
      halve(rest)
    }
  }

  func stopped(_ pid: Int32, by signal: Int32) {
    guard let number = numbers[pid], let job = runs[number]?.jobs.first else { return }
    report(.commandStopped(job, signal: signal))
  }
}
