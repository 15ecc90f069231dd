internal import AMQP

/// Tasks that run together.
struct Batch {
  var jobs: [Job]
  /// Whether they are part of a larger batch that failed.
  var isRerun = false
}

/// The tasks that wait to be run together, and the batches that wait to be run.
///
/// A batch is complete when it has its size, when it has waited long enough, or when no more tasks are expected.
struct BatchQueue {
  /// A batch whose bodies have this many bytes is complete.
  private static let mostBytes = 16 << 20
  /// The maximum wait of a drain, where a task that does not arrive at once is not expected at all.
  private static let shortWait = Duration.milliseconds(20)

  private let size: Int
  private let wait: Duration
  /// Whether no more tasks are expected.
  private var expectsNone: Bool
  /// The incomplete batch, its size in bytes, and until when it waits.
  private var forming: [Job] = []
  private var formingBytes = 0
  private var formingEnd = Deadline.never
  private var complete = Fifo<Batch>()

  init(size: Int, wait: Duration, expectsNone: Bool) {
    (self.size, self.wait, self.expectsNone) = (size, wait, expectsNone)
  }

  var hasComplete: Bool { !complete.isEmpty }
  /// When the batch becomes complete, if no task arrives before.
  var nextDeadline: Deadline { formingEnd }

  mutating func append(_ job: Job, _ now: Deadline) {
    if forming.isEmpty { formingEnd = now + wait }
    if expectsNone { formingEnd = min(formingEnd, now + min(wait, Self.shortWait)) }
    forming.append(job)
    formingBytes += job.delivery.message.body.count
    if forming.count >= size || formingBytes >= Self.mostBytes { completeForming() }
  }

  /// Adds a task that runs alone.
  mutating func appendAlone(_ job: Job) {
    complete.append(Batch(jobs: [job]))
  }

  /// No more tasks are expected: the waiting batch is complete.
  mutating func stop() {
    expectsNone = true
    completeForming()
  }

  private mutating func completeForming() {
    guard !forming.isEmpty else { return }
    complete.append(Batch(jobs: forming))
    (forming, formingBytes, formingEnd) = ([], 0, .never)
  }

  /// Takes out the next complete batch.
  mutating func popFirst(_ now: Deadline) -> Batch? {
    if complete.isEmpty, formingEnd <= now { completeForming() }
    return complete.popFirst()
  }

  /// Takes out all tasks.
  mutating func takeAll() -> [Job] {
    completeForming()
    var jobs: [Job] = []
    while let batch = complete.popFirst() { jobs += batch.jobs }
    return jobs
  }

  /// Queues tasks that failed together as two halves, before all others.
  mutating func halve(_ jobs: [Job]) {
    guard !jobs.isEmpty else { return }
    let half = (jobs.count + 1) / 2
    let halves = jobs.count == 1 ? [jobs[...]] : [jobs[..<half], jobs[half...]]
    complete.prepend(halves.map { Batch(jobs: Array($0), isRerun: true) })
  }
}
