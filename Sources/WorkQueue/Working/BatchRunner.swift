internal import AMQP

/// Runs the command for many tasks at a time.
///
/// Only a task that ran alone, or has its own line on the result channel, has used an attempt: a batch that fails
/// without such lines is halved, and each half runs again.
final class BatchRunner: Runner {
  private final class BatchRun: Run {
    let jobs: [Job]
    /// The result line of each task.
    var lines: [ResultLine?]
    /// The first of its tasks without a line.
    var oldest = 0

    init(_ jobs: [Job], number: Int, _ child: Child, started: Deadline) {
      self.jobs = jobs
      lines = [ResultLine?](repeating: nil, count: jobs.count)
      super.init(number: number, child, started: started)
    }
  }

  private let command: Command
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private let size: Int
  private let format: TaskFormat
  private var waiting: BatchQueue
  private var runs: Runs<BatchRun>
  private var started = 0
  private var outstanding = 0
  private var results: [JobResult] = []
  /// Whether tasks that are not running must not be started any more.
  private var requeues = false

  init(
    _ command: Command.Options, size: Int, wait: Duration, _ format: TaskFormat, _ context: WorkerContext
  ) {
    (self.command, self.context) = (Command(command), context)
    (self.size, self.format) = (size, format)
    waiting = BatchQueue(size: size, wait: wait, expectsNone: context.options.bounds.drains)
    runs = Runs(killAfter: command.killAfter)
    Files.raiseLimit(toHold: 6 * context.options.jobs)
  }

  /// None while full batches wait, which bounds the memory.
  var room: Int { waiting.hasComplete ? 0 : options.jobs * size - outstanding }

  var nextDeadline: Deadline {
    guard results.isEmpty else { return .past }
    return runs.count < options.jobs ? min(runs.nextDeadline, waiting.nextDeadline) : runs.nextDeadline
  }

  // MARK: Tasks

  func start(_ job: Job) -> JobResult? {
    let body = job.delivery.message.body
    if let objection = command.objection(toArgument: body) {
      return JobResult(job: job, outcome: .invalidTask(objection))
    }
    outstanding += 1
    let now = Deadline.now
    if format.objection(to: body) == nil {
      waiting.append(job, now)
    } else {
      waiting.appendAlone(job)
    }
    launch(now)
    return nil
  }

  /// Starts complete batches, as many as there are jobs.
  private func launch(_ now: Deadline) {
    if requeues { requeue() }
    while runs.count < options.jobs, let batch = waiting.popFirst(now) { run(batch, now) }
  }

  private func run(_ batch: Batch, _ now: Deadline) {
    started += 1
    do throws(Command.Failure) {
      let child = try command.startBatch(batch.jobs, format, queue: options.queue, number: started)
      let limit = command.options.timeout.map { now + $0 } ?? .never
      runs.add(BatchRun(batch.jobs, number: started, child, started: now), limit: limit)
    } catch {
      switch error {
      case .invalidTask where batch.jobs.count > 1: return waiting.halve(batch.jobs)
      case .invalidTask(let reason): return finish(batch.jobs[0], .invalidTask(reason))
      case .unrunnable(let reason, let isTemporary):
        return giveUp(batch.jobs, .unrunnable(reason, isTemporary: isTemporary))
      }
    }
    if !batch.isRerun { for job in batch.jobs { context.started(job) } }
  }

  private func finish(
    _ job: Job, _ outcome: Outcome, _ line: ResultLine? = nil, took: Duration = .zero, stderr: [UInt8] = []
  ) {
    outstanding -= 1
    results.append(
      JobResult(
        job: job, outcome: outcome, took: took, stderr: stderr, reason: line?.reason, retryIn: line?.retryIn))
  }

  /// The command cannot be run: these tasks, and those that wait, end with this outcome.
  private func giveUp(_ jobs: [Job], _ outcome: Outcome) {
    for job in jobs + waiting.takeAll() { finish(job, outcome) }
  }

  private func requeue() {
    for job in waiting.takeAll() { finish(job, .interrupted) }
  }

  private func takeResults() -> [JobResult] {
    defer { results.removeAll(keepingCapacity: true) }
    return results
  }

  func step(_ now: Deadline) -> [JobResult] {
    while let run = runs.nextDue(now), let timeout = command.options.timeout {
      runs.end(run, .timedOut(timeout))
    }
    settleEnded()
    launch(now)
    return takeResults()
  }

  // MARK: Input and output

  func watch(on loop: inout EventLoop) {
    runs.watch(on: &loop)
  }

  func read(_ ready: DescriptorSet) {
    for run in runs.withResults(ready) {
      if let complaint = readLines(run, turns: 1) { runs.end(run, .noResult(complaint)) }
      // Its further output is ignored.
      if run.isEnding { run.isMuted = true }
    }
    runs.readOutput(ready, show)
  }

  /// Reads the result lines of single tasks.
  ///
  /// - Returns: the malformed line, as a reason; nil when there is none.
  private func readLines(_ run: BatchRun, turns: Int) -> String? {
    let channel = run.child.results
    for _ in 0..<turns {
      guard !run.isEnding, channel.fill() else { break }
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

  /// The index of the task that a line is for; nil when this task has a line already, or does not exist.
  private func index(of line: ResultLine, _ run: BatchRun) -> Int? {
    let index = line.task.map { $0 - 1 } ?? run.oldest
    return run.lines.indices.contains(index) && run.lines[index] == nil ? index : nil
  }

  private func show(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    report(.output(stream, bytes))
  }

  // MARK: Ends of a run

  func ended(_ pid: Int32) -> [JobResult]? {
    guard runs.reap(pid: pid) else { return nil }
    settleEnded()
    launch(.now)
    return takeResults()
  }

  /// Settles the tasks of the runs that have ended and whose output is handed on.
  private func settleEnded() {
    for run in runs.takeEnded(show) {
      guard let (status, time) = run.end else { continue }
      let complaint = readLines(run, turns: 16)
      let end = complaint.map { .noResult($0) } ?? run.forcedEnd ?? Outcome(waitStatus: status)
      settle(run, end, run.child.output.tail, took: time - run.started)
    }
  }

  /// Decides what becomes of the tasks of a run that has ended.
  private func settle(_ run: BatchRun, _ end: Outcome, _ stderr: [UInt8], took: Duration) {
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
    // The malformed line is charged to the first task without a result; the tasks after it have no result.
    case .noResult: finish(rest.removeFirst(), end, took: took, stderr: stderr)
    default: break
    }
    if run.jobs.count == 1, let job = rest.first {
      finish(job, end, took: took, stderr: stderr)
    } else {
      waiting.halve(rest)
    }
  }

  func stopped(_ pid: Int32, by signal: Int32) {
    guard let job = runs.of(pid: pid)?.jobs.first else { return }
    report(.commandStopped(job, signal: signal))
  }

  // MARK: Ends of the worker

  func stop(requeues: Bool) -> [JobResult] {
    if requeues { self.requeues = true }
    waiting.stop()
    launch(.now)
    return takeResults()
  }

  func interrupt() -> [JobResult] {
    runs.interrupt()
    settleEnded()
    return stop(requeues: true)
  }

  func kill() {
    runs.kill()
  }
}
