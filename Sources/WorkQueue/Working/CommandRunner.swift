internal import AMQP
internal import Glibc

/// Runs the command once for each task.
final class CommandRunner: Runner {
  private struct Run {
    let job: Job
    let child: Child
    /// What the command has written to its result channel.
    var result: ResultLine?
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
  /// By the descriptors of their result channels.
  private var numbersByChannel: [Int32: Int] = [:]
  /// Time limits, and the times at which commands are killed.
  private var timers = Timers()

  init(_ command: Command.Options, _ options: Worker.Options, report: @escaping (WorkerEvent) -> Void) {
    (self.command, self.options, self.report) = (Command(command), options, report)
    // The result channel, stdout and stderr have two descriptors each.
    Files.raiseLimit(toHold: 6 * options.jobs)
  }

  var room: Int { options.jobs - runs.count }
  var nextDeadline: Deadline { timers.next }

  func start(_ job: Job) -> JobResult? {
    do throws(Command.Failure) {
      let child = try command.start(
        job.delivery, queue: options.queue, number: job.number, attempt: job.attempt)
      runs[job.number] = Run(job: job, child: child)
      numbers[child.pid] = job.number
      numbersByChannel[child.results.readEnd] = job.number
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

  func ended(_ pid: Int32) -> [JobResult]? {
    guard let number = numbers.removeValue(forKey: pid), var run = runs.removeValue(forKey: number) else {
      return nil
    }
    numbersByChannel[run.child.results.readEnd] = nil
    let status = run.child.reap()
    var result = JobResult(job: run.job, outcome: Outcome(waitStatus: status), took: .now - run.job.started)
    result.stderr = run.child.output.finish(show)
    if let forced = run.forcedEnd {
      result.outcome = forced
    } else if case .exited(let code) = result.outcome {
      if let complaint = readResults(&run, hasEnded: true) {
        result.outcome = .noResult(complaint)
      } else {
        result.outcome = options.policy.outcome(of: run.result?.status ?? code)
        (result.reason, result.retryIn) = (run.result?.reason, run.result?.retryIn)
      }
    }
    return [result]
  }

  /// Takes what the command has written to its result channel: one line at most.
  ///
  /// - Returns: what is wrong with it.
  private func readResults(_ run: inout Run, hasEnded: Bool) -> String? {
    let channel = run.child.results
    // A pipe holds a bounded number of bytes, also one that something else still writes to.
    for _ in 0..<(hasEnded ? 16 : 1) {
      guard channel.fill() else { break }
      while let line = channel.nextLine() {
        if let complaint = take(line, &run) { return complaint }
      }
    }
    guard hasEnded, let line = channel.rest() else { return nil }
    return take(line, &run)
  }

  private func take(_ line: ArraySlice<UInt8>, _ run: inout Run) -> String? {
    guard run.forcedEnd == nil, run.result == nil, let result = ResultLine(line),
      result.task ?? run.job.number == run.job.number
    else {
      run.child.results.discard()
      return ResultChannel.complaint(about: line)
    }
    run.result = result
    return nil
  }

  func stopped(_ pid: Int32, by signal: Int32) {
    guard let number = numbers[pid], let run = runs[number] else { return }
    report(.commandStopped(run.job, signal: signal))
  }

  // MARK: Output

  func watch(on loop: inout EventLoop) {
    for run in runs.values {
      loop.watch(run.child.results.readEnd)
      run.child.output.watch(on: &loop)
    }
  }

  func read(_ ready: [Int32]) {
    for descriptor in ready {
      guard let number = numbersByChannel[descriptor], var run = runs[number] else { continue }
      let complaint = readResults(&run, hasEnded: false)
      runs[number] = run
      if let complaint { end(number, .noResult(complaint)) }
    }
    guard [.tagged, .passthrough].contains(command.options.output) else { return }
    let ready = Set(ready)
    for run in runs.values where run.child.output.isReady(ready) {
      run.child.output.readLines(show)
    }
  }

  /// Hands on what a command has written.
  private func show(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    report(.output(stream, bytes))
  }
}
