internal import AMQP

/// Settles each task at the broker, and counts the results.
///
/// 1. A task is settled after its attempt, in the session that delivered it, or not at all.
/// 2. A failed task is scheduled for retry or parked by publishing a copy. The original is acknowledged when the copy
///    is confirmed.
/// 3. A task that was returned to its queue too often is replaced by a copy at the queue's end: see `DeliveryHistory`.
///    The copy is confirmed before the original is acknowledged: a crash in between leaves both, never none. If the
///    copy cannot be published, the original is run, or requeued, as it is.
/// 4. A task whose copy can never be published stays unacknowledged until the worker stops, and blocks nothing.
struct Settler: ~Copyable {
  /// How long the broker may take to count or redeliver a requeued task.
  private static let requeueTime = Duration.seconds(1)

  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private var retrier: Retrier
  private var replacements = Replacements()
  private(set) var tally = TaskCounts()
  private(set) var calendar = RetryCalendar()
  /// Until when the broker may neither count nor redeliver a requeued task.
  private var requeueEnd = Deadline.now
  private var unpublishable: [RetryMessage] = []

  init(_ context: WorkerContext) {
    self.context = context
    retrier = Retrier(context)
  }

  /// Number of copies to be published.
  var pending: Int { retrier.pending }
  /// Why no more copies can be published, of any task.
  var failure: AMQPError? { retrier.failure }
  /// Number of tasks that were replaced.
  var replaced: Int { replacements.confirmed }
  /// Whether a task was requeued or replaced just now: the broker may neither count nor redeliver it yet.
  var expectsRequeued: Bool { replacements.isInQueue || !requeueEnd.hasPassed }
  var nextDeadline: Deadline { mutating get { min(retrier.nextDeadline, replacements.nextDeadline) } }

  /// The results of the tasks, with the retries that are still scheduled.
  var counts: TaskCounts {
    var counts = tally
    counts.scheduled = calendar.scheduled()
    counts.held = unpublishable.count
    return counts
  }

  mutating func watch(on loop: inout EventLoop) {
    retrier.watch(on: &loop)
  }

  // MARK: Results

  /// Settles a task whose attempt is over; with `isProbe`, a failure does not count as an attempt.
  ///
  /// - Returns: the settlement.
  mutating func settle(_ result: JobResult, isProbe: Bool, on link: inout Link) throws(AMQPError)
    -> Settlement
  {
    let (job, outcome) = (result.job, result.outcome)
    var settlement = options.policy.settlement(of: outcome, attempt: job.attempt, retryIn: result.retryIn)
    if isProbe && settlement != .acknowledge { settlement = .release }
    let tag = job.delivery.tag
    let staleness = link.staleness(of: tag)
    // Its queue has taken the task along.
    if staleness == .queueDeleted && settlement != .acknowledge { settlement = .drop }
    let end = JobEnd(
      outcome: outcome, reason: result.reason, settlement: settlement, took: result.took, staleness: staleness
    )
    context.ended(job, end)
    guard !end.isStale else {
      tally.stale += 1
      return settlement
    }
    switch settlement {
    case .acknowledge:
      tally.done += 1
      link.finished(tag)
    case .requeue:
      tally.requeued += 1
      // A reject counts no attempt, and brings the task nearer to a quorum queue's delivery limit.
      if options.policy.maxAttempts > 0 || job.delivery.history.mustNotReturn {
        retrier.add(copy(of: result, to: .workQueue(wasRun: true)))
      } else {
        try link.reject(tag, requeue: true)
        requeueEnd = .after(Self.requeueTime)
      }
    case .drop:
      tally.dropped += 1
      tally.failed(because: result.reason ?? outcome.description)
      try link.reject(tag, requeue: false)
    case .release:
      tally.released += 1
      try requeue(ReceivedTask(delivery: job.delivery, received: job.received), on: &link)
    case .retry where options.policy.retriesByBroker:
      tally.retried += 1
      try link.reject(tag, requeue: true)
    case .retry(let delay): retrier.add(copy(of: result, to: .delay(delay)))
    case .park: retrier.add(copy(of: result, to: .failedQueue))
    }
    return settlement
  }

  private func copy(of result: JobResult, to destination: RetryMessage.Destination) -> RetryMessage {
    RetryMessage(result, to: destination, options)
  }

  /// Counts results that the broker did not receive as stale.
  mutating func lost(results: Int) {
    tally.done -= results
    tally.stale += results
  }

  // MARK: Requeuing

  /// Requeues a task that was not run, or was interrupted.
  mutating func requeue(_ task: ReceivedTask, on link: inout Link) throws(AMQPError) {
    let history = task.delivery.history
    guard options.acknowledges, !options.policy.retriesByBroker, history.mustNotReturn, !task.mayRun,
      link.holds(task.delivery.tag),
      retrier.failure == nil
    else { return try link.requeue(task.delivery.tag) }
    replace(task, starts: history.starts)
  }

  /// Requeues a task that was delivered when no more were wanted.
  mutating func refuse(_ task: ReceivedTask, on link: inout Link) throws(AMQPError) {
    tally.released += 1
    try requeue(task, on: &link)
  }

  /// Requeues all received tasks that were not started; with `replaces`, replaces those returned too often.
  ///
  /// - Returns: how many tasks were requeued.
  @discardableResult
  mutating func requeueAll(
    _ inbox: inout Inbox, on link: inout Link, replaces: Bool = true
  ) throws(AMQPError) -> Int {
    guard options.acknowledges else { return 0 }  // the broker does not have them any more
    let count = inbox.count
    tally.released += count
    while var task = inbox.popFirst() {
      task.mayRun = task.mayRun || !replaces
      try requeue(task, on: &link)
    }
    return count
  }

  /// Forgets the tasks that the broker redelivers anyway: all that the link does not hold.
  mutating func forgetVoid(_ inbox: inout Inbox, _ link: borrowing Link) {
    guard options.acknowledges else { return }
    inbox.remove { !link.holds($0.delivery.tag) }
    replacements.forget { !link.holds($0) }
    tally.stale += retrier.forget { !link.holds($0.tag) }
    unpublishable.removeAll { !link.holds($0.tag) }
  }

  // MARK: Replacing

  /// Replaces a waiting task whose returns come near the queue's delivery limit.
  mutating func replaceNearLimit(_ delivery: Delivery, in inbox: inout Inbox) {
    guard options.acknowledges, !options.policy.retriesByBroker, delivery.history.isNearLimit else { return }
    for task in inbox.remove(where: { $0.delivery.tag == delivery.tag && !$0.mayRun }) {
      replace(task, starts: delivery.history.starts)
    }
  }

  /// Whether the task must wait until copies of other tasks are confirmed.
  ///
  /// It could kill this worker before their originals are acknowledged, and both would then be delivered.
  func mustWait(_ task: ReceivedTask) -> Bool {
    replacements.isPending && task.delivery.history.starts > 0
  }

  /// Replaces a suspicious task that would run next by a copy that records the start, and is run when delivered.
  ///
  /// `running` is the number of other running tasks.
  ///
  /// - Returns: whether the task must not be run now.
  mutating func recordStart(of task: ReceivedTask, running: Int) -> Bool {
    let history = task.delivery.history
    guard options.acknowledges, !options.policy.retriesByBroker, history.isSuspicious,
      !history.hasKilledWorkers,
      !task.mayRun
    else { return false }
    // Tasks beyond the number of jobs were only waiting in the worker that died.
    let recordsStart = running + replacements.recentStarts < options.jobs
    replace(task, starts: history.starts + (recordsStart ? 1 : 0), recordsStart: recordsStart)
    return true
  }

  /// Replaces the suspicious tasks delivered with one whose start was recorded, before that one can kill this worker.
  ///
  /// No start is recorded for them.
  mutating func replaceCompanions(in inbox: inout Inbox) {
    guard replacements.recentStarts > 0 else { return }
    for task in inbox.remove(where: { $0.delivery.history.isSuspicious && !$0.mayRun }) {
      replace(task, starts: task.delivery.history.starts)
    }
  }

  private mutating func replace(_ task: ReceivedTask, starts: Int, recordsStart: Bool = false) {
    replacements.add(task, recordsStart: recordsStart)
    retrier.add(
      RetryMessage(
        number: nil, tag: task.delivery.tag,
        message: task.delivery.replacement(in: options.queue, starts: starts),
        destination: .workQueue(wasRun: false), queue: options.queue))
  }

  /// Notes a delivery: a retry that this worker has scheduled is no longer expected.
  mutating func begin(_ delivery: Delivery) {
    calendar.remove(delivery.message)
  }

  // MARK: Copies

  /// Publishes copies, and settles the originals of the confirmed ones.
  ///
  /// With `isStopping`, a task that cannot be replaced is requeued, and not run.
  mutating func step(
    on link: inout Link, _ inbox: inout Inbox, isStopping: Bool
  ) throws(AMQPError) {
    let published = retrier.step()
    for copy in published {
      count(copy)
      guard options.acknowledges else { continue }
      if link.holds(copy.tag) {
        link.finished(copy.tag)
      } else {
        report(.copiedInVain(task: copy.number))
      }
    }
    for (copy, reason) in retrier.takeUnpublishable() {
      report(.unpublishable(task: copy.number ?? 0, reason: reason, acknowledges: options.acknowledges))
      unpublishable.append(copy)
      if options.acknowledges { try link.makeRoom(forHeld: unpublishable.count) }
    }
    try settleRefused(on: &link, &inbox, isStopping: isStopping)
    if retrier.failure != nil { try giveUpCopies(on: &link) }
    if published.contains(where: { !$0.destination.isRetried }) { try link.flush() }
  }

  private mutating func count(_ copy: RetryMessage) {
    switch copy.destination {
    case .delay(let delay):
      tally.retried += 1
      calendar.add(copy.message, after: delay)
    case .failedQueue:
      tally.parked += 1
      tally.failed(because: LastFailure(copy.message.properties.headers).reason)
    case .workQueue(let wasRun):
      replacements.confirm(copy.tag)
      requeueEnd = .after(Self.requeueTime)
      guard !wasRun else { return }
      report(.replaced(starts: copy.message.properties.headers?.count(TaskHeaders.starts) ?? 0))
    }
  }

  /// Runs or requeues the tasks whose copies the work queue does not accept.
  private mutating func settleRefused(
    on link: inout Link, _ inbox: inout Inbox, isStopping: Bool
  ) throws(AMQPError) {
    let overdue = replacements.takeOverdue()
    for (copy, reason) in retrier.takeRefused() + retrier.withdraw(overdue) {
      let task = replacements.giveUp(copy.tag)
      guard link.holds(copy.tag) else { continue }
      report(.notReplaced(task: copy.number, reason: reason))
      if copy.destination == .workQueue(wasRun: true) {
        try link.reject(copy.tag, requeue: true)
      } else if !isStopping, var task {
        task.mayRun = true
        inbox.append(task)
      } else {
        try link.requeue(copy.tag)
      }
    }
    for tag in overdue { _ = replacements.giveUp(tag) }
  }

  /// Requeues the originals of all unpublished copies.
  mutating func giveUpCopies(on link: inout Link) throws(AMQPError) {
    for copy in retrier.shutDownNow() {
      // Tasks that were not run are counted already.
      if copy.number != nil { tally.released += 1 }
      try link.requeue(copy.tag)
    }
  }

  /// Requeues the tasks that are held because their copies could not be published.
  mutating func requeueUnpublishable(on link: inout Link) throws(AMQPError) {
    for copy in unpublishable { try link.requeue(copy.tag) }
  }

  mutating func disconnect() {
    retrier.disconnect()
  }
}
