internal import AMQP
internal import Glibc

/// The running tasks.
struct Jobs {
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private let runner: any Runner
  /// By number.
  private var running = TagWindow<Job>()
  /// When to warn that a task gets near the consumer timeout.
  private var warnings = Timers()
  /// Number of tasks started.
  private(set) var begun = 0

  init(_ context: WorkerContext) {
    self.context = context
    guard let command = context.options.command else {
      runner = FakeRunner(context)
      return
    }
    runner =
      switch command.mode {
      case .perTask: CommandRunner(command, context)
      case .resident(let format, let window, let maxTasks):
        ResidentRunner(command, format, window: window, maxTasks: maxTasks, context)
      case .batch(let format, let size, let wait):
        BatchRunner(command, size: size, wait: wait, format, context)
      }
  }

  /// Number of running tasks.
  var count: Int { running.count }
  /// Whether another task can be started.
  var hasRoom: Bool { runner.room > 0 }
  /// Whether the worker has started its maximum number of tasks (`--count`).
  var isComplete: Bool { options.bounds.count.map { begun >= $0 } ?? false }
  var nextDeadline: Deadline { min(runner.nextDeadline, warnings.next) }

  /// Starts a task, unless its attempts are used up or it has killed its workers; `limit` is the consumer timeout.
  ///
  /// - Returns: the result, if there is one at once.
  mutating func start(_ task: ReceivedTask, limit: ConsumerTimeout) -> JobResult? {
    begun += 1
    let delivery = task.delivery
    let job = Job(
      number: begun, delivery: delivery, attempt: options.policy.attempt(of: delivery), started: .now,
      received: task.received)
    let history = delivery.history
    guard !history.hasKilledWorkers || !options.acknowledges else {
      return JobResult(job: job, outcome: .workersDied(starts: history.starts))
    }
    guard !options.policy.isExhausted(before: job.attempt) else {
      return JobResult(job: job, outcome: .attemptsExceeded(times: job.attempt - 1))
    }
    if let result = runner.start(job) { return result }
    running.append(job, tag: UInt64(job.number))
    if options.acknowledges {
      warnings.set(job.received + limit.warningTime, for: job.number) { running.contains(UInt64($0)) }
    }
    return nil
  }

  /// Does what is due, and reports the tasks that get near the consumer timeout.
  ///
  /// - Returns: the results of tasks that have ended.
  mutating func step(limit: ConsumerTimeout) -> [JobResult] {
    let now = Deadline.now
    guard nextDeadline <= now else { return [] }
    while let number = warnings.popDue(now) {
      if let job = running[UInt64(number)] { report(.longTask(job, limit: limit.limit)) }
    }
    return ended(runner.step(now))
  }

  func watch(on loop: inout EventLoop) {
    runner.watch(on: &loop)
  }

  /// Reads the commands' output.
  func read(_ ready: DescriptorSet) {
    runner.read(ready)
  }

  /// Reaps the children that have exited, including orphans that we inherit as PID 1 of a container.
  ///
  /// - Returns: the results of tasks that have ended.
  mutating func reap() -> [JobResult] {
    var results: [JobResult] = []
    while let change = Child.nextChange() {
      switch change {
      case .ended(let pid):
        if let ended = runner.ended(pid) { results += ended } else { Child.reap(pid) }
      case .stopped(let pid, let signal): runner.stopped(pid, by: signal)
      }
    }
    return ended(results)
  }

  /// No more tasks will be started; with `requeues`, those that no process has are requeued.
  ///
  /// - Returns: the results of tasks that have ended.
  mutating func stop(requeues: Bool) -> [JobResult] {
    ended(runner.stop(requeues: requeues))
  }

  /// Lets resident processes exit, when no more tasks will come.
  ///
  /// - Returns: whether none is left.
  func close() -> Bool { runner.close() }

  /// Stops all running tasks, to be requeued.
  ///
  /// - Returns: the results of tasks that have ended; the rest follows.
  mutating func interrupt() -> [JobResult] {
    ended(runner.interrupt())
  }

  /// Kills at once what was asked to stop.
  func kill() {
    runner.kill()
  }

  private mutating func ended(_ results: [JobResult]) -> [JobResult] {
    for result in results { _ = running.remove(UInt64(result.job.number)) }
    return results
  }
}
