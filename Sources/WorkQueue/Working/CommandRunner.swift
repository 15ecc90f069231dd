internal import AMQP

/// Runs the command once for each task.
final class CommandRunner: Runner {
  private final class TaskRun: Run {
    let job: Job
    /// The line that the command has written to its result channel.
    var result: ResultLine?

    init(_ job: Job, _ child: Child) {
      self.job = job
      super.init(number: job.number, child, started: job.started)
    }
  }

  private let command: Command
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  /// Runs by their tasks' numbers.
  private var runs: Runs<TaskRun>

  init(_ command: Command.Options, _ context: WorkerContext) {
    (self.command, self.context) = (Command(command), context)
    runs = Runs(killAfter: command.killAfter)
    // The result channel, stdout and stderr have two descriptors each.
    Files.raiseLimit(toHold: 6 * context.options.jobs)
  }

  var room: Int { options.jobs - runs.count }
  var nextDeadline: Deadline { runs.nextDeadline }

  func start(_ job: Job) -> JobResult? {
    do throws(Command.Failure) {
      let child = try command.start(
        job.delivery, queue: options.queue, number: job.number, attempt: job.attempt)
      let limit = command.options.timeout.map { job.started + $0 } ?? .never
      runs.add(TaskRun(job, child), limit: limit)
    } catch {
      switch error {
      case .invalidTask(let reason): return JobResult(job: job, outcome: .invalidTask(reason))
      case .unrunnable(let reason, let isTemporary):
        return JobResult(job: job, outcome: .unrunnable(reason, isTemporary: isTemporary))
      }
    }
    context.started(job)
    return nil
  }

  func step(_ now: Deadline) -> [JobResult] {
    while let run = runs.nextDue(now), let timeout = command.options.timeout {
      runs.end(run, .timedOut(timeout))
    }
    return takeEnded()
  }

  func interrupt() -> [JobResult] {
    runs.interrupt()
    return takeEnded()
  }

  func kill() {
    runs.kill()
  }

  // MARK: Children

  func ended(_ pid: Int32) -> [JobResult]? {
    runs.reap(pid: pid) ? takeEnded() : nil
  }

  private func takeEnded() -> [JobResult] {
    runs.takeEnded(show).compactMap { run in run.end.map { result(of: run, $0.status, at: $0.time) } }
  }

  private func result(of run: TaskRun, _ status: Int32, at time: Deadline) -> JobResult {
    var result = JobResult(job: run.job, outcome: Outcome(waitStatus: status), took: time - run.started)
    result.stderr = run.child.output.tail
    if let forced = run.forcedEnd {
      result.outcome = forced
    } else if case .exited(let code) = result.outcome {
      if let complaint = readResults(run, hasEnded: true) {
        result.outcome = .noResult(complaint)
      } else {
        result.outcome = options.policy.outcome(of: run.result?.status ?? code)
        (result.reason, result.retryIn) = (run.result?.reason, run.result?.retryIn)
      }
    }
    return result
  }

  /// Reads the command's line from its result channel: one at most.
  ///
  /// - Returns: the malformed line, as a reason; nil when there is none.
  private func readResults(_ run: TaskRun, hasEnded: Bool) -> String? {
    let channel = run.child.results
    // A pipe holds a bounded number of bytes, even if a background process still writes to it.
    for _ in 0..<(hasEnded ? 16 : 1) {
      guard channel.fill() else { break }
      while let line = channel.nextLine() {
        if let complaint = take(line, run) { return complaint }
      }
    }
    guard hasEnded, let line = channel.rest() else { return nil }
    return take(line, run)
  }

  private func take(_ line: ArraySlice<UInt8>, _ run: TaskRun) -> String? {
    guard !run.isEnding, run.result == nil, let result = ResultLine(line),
      result.task ?? run.job.number == run.job.number
    else {
      run.child.results.discard()
      return ResultChannel.complaint(about: line)
    }
    run.result = result
    return nil
  }

  func stopped(_ pid: Int32, by signal: Int32) {
    guard let run = runs.of(pid: pid) else { return }
    report(.commandStopped(run.job, signal: signal))
  }

  // MARK: Output

  func watch(on loop: inout EventLoop) {
    runs.watch(on: &loop)
  }

  func read(_ ready: DescriptorSet) {
    for run in runs.withResults(ready) {
      if let complaint = readResults(run, hasEnded: false) { runs.end(run, .noResult(complaint)) }
    }
    runs.readOutput(ready, show)
  }

  /// Passes on what a command has written.
  private func show(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    report(.output(stream, bytes))
  }
}
