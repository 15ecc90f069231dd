internal import AMQP
internal import Glibc

/// Runs the command once for each task.
final class CommandRunner: Runner {
  private struct Run {
    let job: Job
    let child: Child
    /// How the work ends, if we have asked it to end.
    var forcedEnd: Outcome?
    /// When a command that was asked to end is killed.
    var killTime = Deadline.never
  }

  private let command: Command
  private let options: Worker.Options
  private let report: (WorkerEvent) -> Void
  /// By the numbers of their tasks.
  private var runs: [Int: Run] = [:]
  private var numbers: [pid_t: Int] = [:]
  /// Time limits, and the times at which commands are killed.
  private var timers = Timers()

  init(_ command: Command.Options, _ options: Worker.Options, report: @escaping (WorkerEvent) -> Void) {
    (self.command, self.options, self.report) = (Command(command), options, report)
  }

  var room: Int { options.jobs - runs.count }
  var nextDeadline: Deadline { timers.next }

  func start(_ job: Job) -> JobResult? {
    do throws(Command.Failure) {
      let child = try command.start(
        job.delivery, queue: options.queue, number: job.number, attempt: job.attempt)
      runs[job.number] = Run(job: job, child: child)
      numbers[child.pid] = job.number
    } catch {
      switch error {
      case .unfit(let reason): return JobResult(job: job, outcome: .unfit(reason))
      case .unrunnable(let reason, let isTemporary):
        return JobResult(job: job, outcome: .unrunnable(reason, isTemporary: isTemporary))
      }
    }
    if let timeout = command.options.timeout { setTimer(job.started + timeout, job.number) }
    report(.started(job))
    return nil
  }

  func step(_ now: Deadline) -> [JobResult] {
    while let number = timers.popDue(now) {
      guard let run = runs[number] else { continue }
      if run.forcedEnd == nil, let timeout = command.options.timeout {
        end(number, .timedOut(timeout))
      } else if run.killTime <= now {
        run.child.kill()
      }
    }
    return []
  }

  private func setTimer(_ time: Deadline, _ number: Int) {
    timers.set(time, for: number) { runs[$0] != nil }
  }

  /// Asks a command to end; it is killed after `killAfter`.
  private func end(_ number: Int, _ outcome: Outcome) {
    guard var run = runs[number], run.forcedEnd == nil else { return }
    run.forcedEnd = outcome
    run.killTime = .after(command.options.killAfter)
    runs[number] = run
    setTimer(run.killTime, number)
    run.child.terminate()
  }

  func interrupt() -> [JobResult] {
    for number in runs.keys { end(number, .interrupted) }
    return []
  }

  func kill() {
    for run in runs.values { run.child.kill() }
  }

  // MARK: Children

  func ended(_ pid: Int32) -> JobResult?? {
    guard let number = numbers.removeValue(forKey: pid), let run = runs.removeValue(forKey: number) else {
      return nil
    }
    let outcome = outcome(of: run, run.child.reap())
    let tail = run.child.output.finish(show)
    return JobResult(job: run.job, outcome: outcome, took: .now - run.job.started, stderr: tail)
  }

  private func outcome(of run: Run, _ status: Int32) -> Outcome {
    if let forced = run.forcedEnd { return forced }
    let outcome = Outcome(waitStatus: status)
    guard case .exited(let code) = outcome else { return outcome }
    return options.policy.outcome(of: code)
  }

  func stopped(_ pid: Int32, by signal: Int32) {
    guard let number = numbers[pid], let run = runs[number] else { return }
    report(.commandStopped(run.job, signal: signal))
  }

  // MARK: Output

  func watch(on loop: inout EventLoop) {
    guard command.options.output == .tagged else { return }
    for run in runs.values {
      for descriptor in run.child.output.descriptors { loop.watch(descriptor) }
    }
  }

  func read(_ ready: [Int32]) {
    guard command.options.output == .tagged else { return }
    let ready = Set(ready)
    for run in runs.values where run.child.output.descriptors.contains(where: ready.contains) {
      run.child.output.readLines(show)
    }
  }

  /// Hands on what a command has written.
  private func show(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    report(.output(stream, bytes))
  }
}
