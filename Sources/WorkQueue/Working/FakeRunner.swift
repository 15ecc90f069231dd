internal import AMQP

/// Fakes the work, as the tutorial's workers do: a task takes time according to its dots.
final class FakeRunner: Runner {
  private let jobs: Int
  private let dot: Duration
  private let context: WorkerContext
  private var running: [Int: Job] = [:]
  private var ends = Timers()

  init(_ context: WorkerContext) {
    (jobs, dot, self.context) = (context.options.jobs, context.options.dot, context)
  }

  /// How long a task takes: `dot` for each "." in its body.
  static func duration(of body: [UInt8], dot: Duration) -> Duration {
    let dots = body.count { $0 == UInt8(ascii: ".") }
    return dots == 0 ? .zero : dot * dots
  }

  var room: Int { jobs - running.count }
  var nextDeadline: Deadline { ends.next }

  func start(_ job: Job) -> JobResult? {
    context.started(job)
    let duration = Self.duration(of: job.delivery.message.body, dot: dot)
    guard duration > .zero else { return JobResult(job: job, outcome: .simulated) }
    running[job.number] = job
    ends.set(job.started + duration, for: job.number) { running[$0] != nil }
    return nil
  }

  func step(_ now: Deadline) -> [JobResult] {
    var results: [JobResult] = []
    while let number = ends.popDue(now) {
      guard let job = running.removeValue(forKey: number) else { continue }
      results.append(JobResult(job: job, outcome: .simulated, took: now - job.started))
    }
    return results
  }

  func interrupt() -> [JobResult] {
    defer { running.removeAll() }
    return running.values.sorted { $0.number < $1.number }.map {
      JobResult(job: $0, outcome: .interrupted, took: .now - $0.started)
    }
  }

  // It has no processes.
  func watch(on loop: inout EventLoop) {}
  func read(_ ready: DescriptorSet) {}
  func ended(_ pid: Int32) -> [JobResult]? { nil }
  func stopped(_ pid: Int32, by signal: Int32) {}
  func kill() {}
}
