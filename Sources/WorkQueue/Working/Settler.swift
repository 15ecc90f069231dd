internal import AMQP

/// Has the broker keep, redeliver or forget each task, and counts what became of it.
///
/// 1. A task is settled after its work, in the session that it came by, or not at all.
/// 2. A task that failed is scheduled for a retry or parked by a copy, and acknowledged when a queue has that.
/// 3. A task that was returned to its queue too often is replaced by a copy at the queue's end: see
///    `DeliveryHistory`. The copy is confirmed first and the original acknowledged after: a crash between leaves
///    both, never none. Where the copy cannot be published, the original is run, or returned, as it is.
/// 4. A task that no copy can be published of stays unacknowledged until the worker stops, and holds up nothing.
struct Settler: ~Copyable {
  /// How long a task that was requeued may take until the broker counts or redelivers it.
  private static let requeueTime = Duration.seconds(1)

  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private var retrier: Retrier
  private var replacements = Replacements()
  private(set) var tally = TaskCounts()
  private(set) var calendar = RetryCalendar()
  /// Until when a task that was requeued may be neither counted nor redelivered.
  private var requeueEnd = Deadline.now
  private var unpublishable: [RetryMessage] = []

  init(_ context: WorkerContext) {
    self.context = context
    retrier = Retrier(context)
  }

  /// How many copies are to be published.
  var pending: Int { retrier.pending }
  /// Why no copy can be published any more, whatever the task.
  var failure: AMQPError? { retrier.failure }
  /// How many tasks were replaced.
  var replaced: Int { replacements.confirmed }
  /// Whether a task was requeued or replaced a moment ago: it may be neither counted nor redelivered yet.
  var expectsRequeued: Bool { replacements.isInQueue || !requeueEnd.hasPassed }
  var nextDeadline: Deadline { mutating get { min(retrier.nextDeadline, replacements.nextDeadline) } }

  /// What the tasks have come to, with the retries that are still to come.
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

  /// Settles a task whose work is over; with `isProbe`, its failure is not counted as an attempt.
  ///
  /// - Returns: what became of it.
  mutating func settle(_ result: JobResult, isProbe: Bool, on link: inout Link) throws(AMQPError)
    -> Settlement
  {
    let (job, outcome) = (result.job, result.outcome)
    var settlement = options.policy.settlement(of: outcome, attempt: job.attempt, retryIn: result.retryIn)
    if isProbe && settlement != .acknowledge { settlement = .release }
    let tag = job.delivery.tag
    let isStale = options.acknowledges && !link.holds(tag)
    let isPastTimeLimit = isStale && link.hasDelivered(tag)
    let end = JobEnd(
      outcome: outcome, reason: result.reason, settlement: settlement, took: result.took, isStale: isStale,
      isPastTimeLimit: isPastTimeLimit)
    report(.ended(job, end))
    guard !isStale else {
      tally.stale += 1
      return settlement
    }
    switch settlement {
    case .acknowledge:
      tally.done += 1
      link.finished(tag)
    case .requeue:
      tally.requeued += 1
      // A reject counts no attempt, and brings the task nearer to the limit of a quorum queue.
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

  /// Counts results that the broker did not get.
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

  /// Requeues a task that came when no more were wanted.
  mutating func refuse(_ task: ReceivedTask, on link: inout Link) throws(AMQPError) {
    tally.released += 1
    try requeue(task, on: &link)
  }

  /// Requeues all that was received and not begun; with `replaces`, there is time to replace tasks that were returned
  /// too often.
  ///
  /// - Returns: how many tasks that were.
  @discardableResult
  mutating func requeueAll(
    _ inbox: inout Inbox, on link: inout Link, replaces: Bool = true
  ) throws(AMQPError) -> Int {
    guard options.acknowledges else { return 0 }  // ours alone now: nobody else will do them
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

  /// Replaces a task that only waits, and whose return once or twice more would be its end.
  mutating func replaceNearLimit(_ delivery: Delivery, in inbox: inout Inbox) {
    guard options.acknowledges, !options.policy.retriesByBroker, delivery.history.isNearLimit else { return }
    for task in inbox.remove(where: { $0.delivery.tag == delivery.tag && !$0.mayRun }) {
      replace(task, starts: delivery.history.starts)
    }
  }

  /// Whether the task must wait until the copies of others are confirmed: it could be the death of this worker
  /// before their originals are acknowledged, and both would come back.
  func mustWait(_ task: ReceivedTask) -> Bool {
    replacements.isPending && task.delivery.history.starts > 0
  }

  /// Replaces a suspicious task whose turn has come, while `running` others run, by a copy that records the start;
  /// the run comes with the copy.
  ///
  /// - Returns: whether the task must not be run now.
  mutating func recordStart(of task: ReceivedTask, running: Int) -> Bool {
    let history = task.delivery.history
    guard options.acknowledges, !options.policy.retriesByBroker, history.isSuspicious,
      !history.hasKilledWorkers,
      !task.mayRun
    else { return false }
    // Beyond the number of jobs, it has only waited in the worker that died.
    let recordsStart = running + replacements.recentStarts < options.jobs
    replace(task, starts: history.starts + (recordsStart ? 1 : 0), recordsStart: recordsStart)
    return true
  }

  /// Replaces the suspicious tasks that came together with one whose start was recorded, before it can be the
  /// death of this worker, too; nothing is recorded for them.
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

  /// A task has come; one that this worker has scheduled is expected no more.
  mutating func begin(_ delivery: Delivery) {
    calendar.remove(delivery.message)
  }

  // MARK: Copies

  /// Publishes copies, and settles the originals of those that are published; with `isStopping`, a task that cannot be
  /// replaced is requeued, and not run.
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

  /// Has the tasks run, or requeued, whose copies the work queue does not take.
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

  /// Requeues the originals of all copies that are not published.
  mutating func giveUpCopies(on link: inout Link) throws(AMQPError) {
    for copy in retrier.shutDownNow() {
      // What was not run is counted already.
      if copy.number != nil { tally.released += 1 }
      try link.requeue(copy.tag)
    }
  }

  /// Requeues the tasks that were held because they could not be published.
  mutating func requeueUnpublishable(on link: inout Link) throws(AMQPError) {
    for copy in unpublishable { try link.requeue(copy.tag) }
  }

  mutating func disconnect() {
    retrier.disconnect()
  }
}
