internal import AMQP

/// All tasks that the worker holds: received, running or being settled.
struct Workbench: ~Copyable {
  private let context: WorkerContext
  private var options: Worker.Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private var inbox = Inbox()
  private var jobs: Jobs
  private var settler: Settler
  private var throttle: Throttle
  /// Whether consuming is suspended because no task may start for a while.
  private(set) var isHeld = false
  /// Why the worker must stop, until it is taken.
  private var stopReasons: [StopReason] = []

  init(_ context: WorkerContext) {
    self.context = context
    let options = context.options
    jobs = Jobs(context)
    settler = Settler(context)
    throttle = Throttle(options.rate, pauseAfter: options.pauseAfter, options.policy)
  }

  // MARK: State

  /// Number of running tasks.
  var running: Int { jobs.count }
  /// Number of tasks received and not started.
  var prefetched: Int { inbox.count }
  /// The tasks' results.
  var counts: TaskCounts { settler.counts }
  /// The retries that are still scheduled.
  var calendar: RetryCalendar { settler.calendar }
  /// Whether there is room for more tasks.
  var hasRoom: Bool { inbox.hasRoom }
  var isEmpty: Bool { jobs.count == 0 && inbox.isEmpty && settler.pending == 0 }
  /// Whether only copies are left to be published.
  var hasOnlyCopies: Bool { jobs.count == 0 && inbox.isEmpty && settler.pending > 0 }
  /// Number of unsettled tasks.
  var unsettled: Int { jobs.count + inbox.count + settler.pending }

  /// The state that a drain needs.
  var drainState: Drain.State {
    Drain.State(
      isIdle: isEmpty && !isHeld, begun: jobs.begun + settler.replaced,
      expectsRequeued: settler.expectsRequeued)
  }

  // MARK: Waiting

  /// When something is due, if nothing happens before.
  var nextDeadline: Deadline {
    mutating get { min(jobs.nextDeadline, throttle.nextDeadline, settler.nextDeadline) }
  }

  mutating func watch(on loop: inout EventLoop) {
    settler.watch(on: &loop)
    jobs.watch(on: &loop)
  }

  /// Reads the commands' output.
  mutating func read(_ ready: DescriptorSet) {
    jobs.read(ready)
  }

  // MARK: Processing tasks

  /// Adds a task that was delivered, or requeues it when no more are wanted.
  mutating func receive(
    _ delivery: Delivery, on link: inout Link, _ shutdown: Shutdown
  ) throws(AMQPError) {
    let task = ReceivedTask(delivery: delivery, received: .now)
    guard !shutdown.isUnderway || !options.acknowledges else {
      try link.forgetRetired()
      return try settler.refuse(task, on: &link)
    }
    inbox.append(task)
    try beginTasks(on: &link, shutdown)
    settler.replaceNearLimit(delivery, in: &inbox)
  }

  /// Does what is due: stops and starts tasks, publishes copies and settles their originals.
  mutating func step(on link: inout Link, _ shutdown: Shutdown) throws(AMQPError) {
    try settle(jobs.step(limit: link.timeLimit), on: &link)
    if !shutdown.isUnderway && link.isConnected { try hold(on: &link) }
    try beginTasks(on: &link, shutdown)
    try settler.step(on: &link, &inbox, isStopping: shutdown.isUnderway)
    if let failure = settler.failure { stopReasons.append(.failure(failure)) }
    try beginTasks(on: &link, shutdown)
  }

  /// Takes out why the worker must stop.
  mutating func takeStopReasons() -> [StopReason] {
    guard !stopReasons.isEmpty else { return [] }
    defer { stopReasons = [] }
    return stopReasons
  }

  /// Starts the tasks that may start.
  private mutating func beginTasks(on link: inout Link, _ shutdown: Shutdown) throws(AMQPError) {
    var later: [ReceivedTask] = []
    while mayBegin(shutdown), let task = inbox.popFirst() {
      if settler.recordStart(of: task, running: jobs.count) { continue }
      if settler.mustWait(task) {
        later.append(task)
        continue
      }
      settler.begin(task.delivery)
      throttle.began(jobs.begun + 1)
      if let result = jobs.start(task, limit: link.timeLimit) { try settle(result, on: &link) }
    }
    inbox.putBack(later)
    settler.replaceCompanions(in: &inbox)
    if jobs.isComplete && !shutdown.isUnderway { stopReasons.append(.bound) }
  }

  private func mayBegin(_ shutdown: Shutdown) -> Bool {
    jobs.hasRoom && !jobs.isComplete && throttle.mayBegin && shutdown.reason?.isFailure != true
      && stopReasons.isEmpty
  }

  /// Settles all tasks that have ended, even if the first finds that the connection is lost.
  private mutating func settle(_ results: [JobResult], on link: inout Link) throws(AMQPError) {
    var failure: AMQPError?
    for result in results {
      do throws(AMQPError) {
        try settle(result, on: &link)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  private mutating func settle(_ result: JobResult, on link: inout Link) throws(AMQPError) {
    let number = result.job.number
    if case .unrunnable(let reason, let isTemporary) = result.outcome {
      stopReasons.append(.unrunnable(reason, isTemporary: isTemporary))
      // A task that is requeued while we consume is redelivered to us.
      try link.stopConsuming()
    }
    let settlement = try settler.settle(result, isProbe: throttle.isProbe(number), on: &link)
    if result.outcome == .interrupted {
      throttle.forgetProbe(number)
    } else {
      report(throttle.ended(number, isSuccess: settlement == .acknowledge))
    }
  }

  private func report(_ change: Throttle.Change?) {
    switch change {
    case .paused(let failures, let delay): report(.paused(failures: failures, retry: delay))
    case .resumed: report(.unpaused)
    case nil: break
    }
  }

  /// Suspends consuming, and requeues waiting tasks, while no task may start for a while.
  private mutating func hold(on link: inout Link) throws(AMQPError) {
    let wasHeld = isHeld
    isHeld = throttle.holds
    if isHeld {
      try link.stopConsuming()
      try requeueAll(on: &link)
    } else if wasHeld {
      try link.consume()
    }
  }

  // MARK: Ends

  /// Settles the tasks whose commands have ended.
  mutating func reap(on link: inout Link) throws(AMQPError) {
    try settle(jobs.reap(), on: &link)
  }

  /// Requeues what has not started, unless resident commands or batches are to finish it.
  ///
  /// - Returns: the number of tasks.
  mutating func stop(_ reason: StopReason, on link: inout Link) throws(AMQPError) -> Int {
    defer { if reason.isFailure { inbox = Inbox() } }
    let results = jobs.stop(requeues: reason.isFailure || reason != .bound && options.acknowledges)
    try settle(results, on: &link)
    return try requeueAll(on: &link) + results.count { $0.outcome == .interrupted }
  }

  /// Lets resident processes exit.
  ///
  /// - Returns: whether none is left.
  func closeJobs() -> Bool { jobs.close() }

  /// Stops all running tasks, and requeues them.
  mutating func interrupt(on link: inout Link) throws(AMQPError) {
    try settle(jobs.interrupt(), on: &link)
  }

  /// Kills at once what was asked to stop.
  func kill() {
    jobs.kill()
  }

  /// Requeues what was received and not started.
  ///
  /// - Returns: the number of tasks.
  @discardableResult
  mutating func requeueAll(on link: inout Link) throws(AMQPError) -> Int {
    try settler.requeueAll(&inbox, on: &link)
  }

  /// Drops the tasks that the broker redelivers anyway, and counts stale results.
  mutating func forgetVoid(_ link: borrowing Link, lostResults: Int = 0) {
    settler.lost(results: lostResults)
    settler.forgetVoid(&inbox, link)
  }

  /// Requeues the originals of all unpublished copies.
  mutating func giveUpCopies(on link: inout Link) throws(AMQPError) {
    try settler.giveUpCopies(on: &link)
  }

  /// Requeues everything that has not started, without replacing tasks that were returned often.
  mutating func giveUp(on link: inout Link) throws(AMQPError) {
    try settler.giveUpCopies(on: &link)
    try settler.requeueAll(&inbox, on: &link, replaces: false)
  }

  /// Requeues the tasks that were held because no copy could be published.
  mutating func requeueHeld(on link: inout Link) throws(AMQPError) {
    try settler.requeueUnpublishable(on: &link)
  }

  mutating func disconnect() {
    settler.disconnect()
  }
}
