internal import AMQP

/// What all parts of a worker share: its options, where its events are reported, and the counts of attempts.
///
/// A class, because the options are large and there are many parts.
final class WorkerContext {
  let options: Worker.Options
  let report: (WorkerEvent) -> Void
  private(set) var attempts = AttemptCounts()

  init(_ options: Worker.Options, report: @escaping (WorkerEvent) -> Void) {
    (self.options, self.report) = (options, report)
  }

  /// Counts and reports an attempt that starts.
  func started(_ job: Job) {
    job.isStarted = true
    attempts.start(isRedelivered: job.delivery.isRedelivered)
    report(.started(job))
  }

  /// Counts and reports the end of a task, whether or not it was started.
  func ended(_ job: Job, _ end: JobEnd) {
    if job.isStarted { attempts.end(after: end.took) }
    report(.ended(job, end))
  }
}
