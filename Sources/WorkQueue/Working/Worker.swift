package import AMQP
internal import Glibc

/// The loop that works on a queue's tasks.
///
/// 1. It takes what the broker has sent, begins what it may, settles what has ended, tells the broker, and then waits
///    until something else can happen: it never sleeps and never works in-line.
/// 2. Each of its parts has a state of its own, and a `nextDeadline`; what concerns several goes through here.
/// 3. The first signal ends it when the running tasks are done; the second ends it now. What was not done goes back
///    to the queue.
package struct Worker: ~Copyable {
  /// How a worker has come to its end.
  package enum Ending: Equatable, Sendable {
    /// Stopped, with everything finished or given back.
    case stopped(StopReason, TaskCounts)
    /// Stopped by a second signal, which the process should die by.
    case killed(signal: Int32)
  }

  /// So many events are taken in one go that acknowledgements and signals still get their turn.
  private static let largestTurn = 1000
  /// How long commands may take to end when the worker leaves at once, before they are killed.
  private static let commandTimeout = Duration.seconds(1)
  /// How long the broker may take to read when the worker leaves at once.
  private static let farewellTimeout = Duration.milliseconds(400)
  /// All signals that would end the process otherwise, without a word, and leave its commands to themselves; but for
  /// those of a fault.
  private static let stopSignals =
    [
      SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR2, SIGXCPU, SIGPOLL, SIGPWR,
      SIGSTKFLT,
    ]
    + Array(34...64)

  private let options: Options
  private let report: (WorkerEvent) -> Void
  private let started = Deadline.now
  private var link: Link
  private var inbox = Inbox()
  private var jobs: Jobs
  private var settler: Settler
  private var drain: Drain
  private var throttle: Throttle
  private var shutdown = Shutdown()
  private var loop = EventLoop()
  /// Whether no tasks are received because none may begin for long.
  private var isHeld = false
  private var nextProgress: Deadline

  /// `report` is told of all that happens, as it happens.
  package init(_ options: Options, report: @escaping (WorkerEvent) -> Void) {
    (self.options, self.report) = (options, report)
    link = Link(options, report: report)
    jobs = Jobs(options, report: report)
    settler = Settler(options, report: report)
    drain = Drain(options.bounds)
    throttle = Throttle(options.rate, pauseAfter: options.pauseAfter, options.policy)
    nextProgress = options.progressInterval == nil ? .never : .now
  }

  /// Works until a signal, a bound or a failure ends it.
  ///
  /// - Throws: why the first connection failed, or what no new connection would mend.
  package mutating func run() throws(AMQPError) -> Ending {
    let signals = try Signals(Self.stopSignals, others: [SIGUSR1], requestsEndAfter: 2)
    try connect(signals)
    while true {
      let isDrained = serve()
      if isOver && isDrained { return try leave(signals) }
      wait(signals, until: isDrained ? nextDeadline : .now)
      jobs.read(loop.ready)
      if loop.isReady(signals.childDescriptor) {
        signals.receiveChildren()
        settleOrLose(jobs.reap())
      }
      for signal in loop.isReady(signals.descriptor) ? stopSignals(signals) : [] {
        if shutdown.hasSignal { return abandon(signal, signals) }
        stop(.signal(signal))
      }
    }
  }

  private mutating func connect(_ signals: borrowing Signals) throws(AMQPError) {
    let end = Deadline.after(options.reconnectsFor ?? .zero)
    while !link.isConnected {
      do throws(AMQPError) {
        try link.connectFirst(until: end)
      } catch {
        if let signal = stopSignals(signals).first { return stop(.signal(signal)) }
        throw error
      }
      if !link.isConnected {
        EventLoop.wait(for: [signals.descriptor], until: link.nextDeadline(isStopping: false))
      }
      if let signal = stopSignals(signals).first { return stop(.signal(signal)) }
    }
  }

  /// The signals that ask to stop; one that asks for the state is answered.
  private func stopSignals(_ signals: borrowing Signals) -> [Int32] {
    let all = signals.receive()
    guard all.contains(SIGUSR1) else { return all }
    report(.state(state))
    return all.filter { $0 != SIGUSR1 }
  }

  private var state: WorkerState {
    WorkerState(
      address: link.address, running: jobs.count, prefetched: inbox.count, counts: settler.counts,
      uptime: .now - started)
  }

  // MARK: A turn

  /// Whether there is nothing left to be done before leaving.
  private var isOver: Bool { shutdown.isUnderway && hasNothing }
  private var isIdle: Bool { hasNothing && !isHeld }
  private var hasNothing: Bool { jobs.count == 0 && inbox.isEmpty && settler.pending == 0 }

  /// Takes one turn with the connection, or tries to get one, and with the tasks.
  ///
  /// - Returns: whether there is nothing left to read without a look at the socket.
  private mutating func serve() -> Bool {
    var isDrained = true
    do throws(AMQPError) {
      if !shutdown.isUnderway, try link.reconnectIfDue() { drain.reset() }
      isDrained = try readEvents()
      try settle(jobs.step(limit: link.timeLimit))
      try holdTasks()
      try beginTasks()
      try settler.step(on: &link, &inbox, isStopping: shutdown.isUnderway)
      if let failure = settler.failure { stop(.failure(failure)) }
      try beginTasks()
      try checkBounds()
      report(.caughtUp)
      reportProgress()
      try link.flush()
    } catch {
      lose(error)
    }
    return isDrained && !(link.holdsEvents && inbox.hasRoom)
  }

  private mutating func reportProgress() {
    guard let interval = options.progressInterval, nextProgress.hasPassed else { return }
    report(.progress(state))
    nextProgress = .after(interval)
  }

  /// Takes what the broker has sent, as long as there is room for tasks.
  ///
  /// What came in by one read is answered before the next: the broker has more for us by then.
  ///
  /// - Returns: whether there is nothing left to read without a look at the socket.
  private mutating func readEvents() throws(AMQPError) -> Bool {
    for _ in 0..<Self.largestTurn {
      guard inbox.hasRoom else {
        link.sendHeartbeat()
        return true
      }
      guard let (event, hasMore) = try link.nextEvent() else { return true }
      try handle(event)
      if !hasMore { return true }
    }
    return false
  }

  private mutating func handle(_ event: Event) throws(AMQPError) {
    switch event {
    case .delivered(let delivery): try receive(delivery)
    case .cancelled(let consumer): try cancelled(consumer)
    case .channelClosed(let error):
      let timeout = link.learnTimeLimit(from: error)
      report(.channelClosed(error, running: jobs.count, timeout: timeout))
      settler.forgetVoid(&inbox, link)
      try resume()
    case .confirmed, .returned, .blocked, .unblocked, .got:
      break  // a publisher's, or not asked for; the broker never blocks a connection that does not publish
    }
  }

  private mutating func receive(_ delivery: Delivery) throws(AMQPError) {
    let task = ReceivedTask(delivery: delivery, received: .now)
    guard !shutdown.isUnderway || !options.acknowledges else {
      try link.forgetRetired()
      return try settler.refuse(task, on: &link)
    }
    inbox.append(task)
    try beginTasks()
    settler.replaceNearLimit(delivery, in: &inbox)
  }

  /// The broker ended a consumer: the queue is gone, or a task took too long.
  private mutating func cancelled(_ consumer: String) throws(AMQPError) {
    switch try link.cancelled(consumer) {
    case .timedOut(let tasks):
      settler.forgetVoid(&inbox, link)
      // Without a void one, the result of the late task was sent before we knew.
      if tasks > 0 || !link.isConsuming { report(.timedOut(tasks: tasks, limit: link.timeLimit.limit)) }
    case .queueGone:
      report(.cancelled(queue: options.queue))
      try settler.requeueAll(&inbox, on: &link)
    case nil: return
    }
    try resume()
  }

  private mutating func resume() throws(AMQPError) {
    guard !shutdown.isUnderway, link.isConnected, !link.isConsuming else { return }
    try link.consume()
    report(.resumed(queue: options.queue))
  }

  /// Takes note that the connection is gone, or could not be made again.
  private mutating func lose(_ error: AMQPError) {
    let loss = link.lose(error, running: jobs.count, isStopping: shutdown.isUnderway)
    settler.lost(results: loss.results)
    if loss.isNew { settler.forgetVoid(&inbox, link) }
    if loss.isFinal { stop(.failure(error)) }
  }

  // MARK: Tasks

  /// Begins what may begin.
  private mutating func beginTasks() throws(AMQPError) {
    var later: [ReceivedTask] = []
    while mayBegin, jobs.hasRoom, throttle.mayBegin, let task = inbox.popFirst() {
      if settler.recordStart(of: task, running: jobs.count) { continue }
      if settler.mustWait(task) {
        later.append(task)
        continue
      }
      settler.begin(task.delivery)
      throttle.began(jobs.begun + 1)
      if let result = jobs.start(task, limit: link.timeLimit) { try settle([result]) }
    }
    inbox.putBack(later)
    settler.replaceCompanions(in: &inbox)
    if !mayBegin { stop(.bound) }
  }

  /// Whether tasks are to be begun: not as many as wanted were, and the command can be run.
  private var mayBegin: Bool { !jobs.isComplete && shutdown.reason?.isFailure != true }

  /// Settles the tasks whose work has ended.
  private mutating func settle(_ results: [JobResult]) throws(AMQPError) {
    for result in results {
      let number = result.job.number
      // What is requeued while we consume comes to us again.
      if case .unrunnable = result.outcome { try link.stopConsuming() }
      let settlement = try settler.settle(result, isProbe: throttle.isProbe(number), on: &link)
      if result.outcome == .interrupted {
        throttle.forgetProbe(number)
      } else {
        tell(throttle.ended(number, isSuccess: settlement == .acknowledge))
      }
      guard case .unrunnable(let reason, let isTemporary) = result.outcome else { continue }
      stop(.unrunnable(reason, isTemporary: isTemporary))
    }
  }

  private func tell(_ change: Throttle.Change?) {
    switch change {
    case .paused(let failures, let delay): report(.paused(failures: failures, retry: delay))
    case .resumed: report(.unpaused)
    case nil: break
    }
  }

  /// Receives no tasks, and has none, while they may not begin for long.
  private mutating func holdTasks() throws(AMQPError) {
    guard !shutdown.isUnderway, link.isConnected else { return }
    if !throttle.holds {
      if isHeld { try link.consume() }
      isHeld = false
    } else if !isHeld {
      isHeld = true
      try link.stopConsuming()
    }
    if isHeld { try settler.requeueAll(&inbox, on: &link) }
  }

  /// Settles the tasks whose work has ended, or loses the connection by that.
  private mutating func settleOrLose(_ results: [JobResult]) {
    for result in results {
      do throws(AMQPError) {
        try settle([result])
      } catch {
        lose(error)
      }
    }
  }

  // MARK: Waiting

  /// When something is due, if nothing happens before.
  private var nextDeadline: Deadline {
    mutating get {
      let bound =
        shutdown.isUnderway ? shutdown.nextDeadline : drain.nextDeadline(isIdle: isIdle && link.isConnected)
      let connection = link.nextDeadline(isStopping: shutdown.isUnderway)
      return min(
        jobs.nextDeadline, throttle.nextDeadline, settler.nextDeadline, bound, connection, nextProgress)
    }
  }

  private mutating func wait(_ signals: borrowing Signals, until deadline: Deadline) {
    loop.removeAll()
    loop.watch(signals.descriptor)
    loop.watch(signals.childDescriptor)
    link.watch(on: &loop, forReading: inbox.hasRoom)
    settler.watch(on: &loop)
    jobs.watch(on: &loop)
    loop.wait(until: deadline)
  }

  // MARK: Stopping

  /// Stops if a bound is reached, and ends what has had its time since the stop began.
  private mutating func checkBounds() throws(AMQPError) {
    guard shutdown.isUnderway else {
      let state = Drain.State(
        isIdle: isIdle, begun: jobs.begun + settler.replaced, expectsRequeued: settler.expectsRequeued)
      if try drain.step(on: &link, state, settler.calendar) { stop(.bound) }
      return
    }
    if shutdown.endsGrace() {
      if jobs.count > 0 { report(.graceIsOver(running: jobs.count)) }
      try settle(jobs.interrupt())
    }
    guard jobs.count == 0, inbox.isEmpty, settler.pending > 0, shutdown.givesUpCopies() || isCutOff else {
      return
    }
    try settler.giveUpCopies(on: &link)
  }

  /// Whether the broker redelivers what we have, whatever becomes of it here.
  private var isCutOff: Bool { !link.isConnected && options.acknowledges }

  /// Takes no more tasks and gives back those not begun; what runs may finish.
  private mutating func stop(_ reason: StopReason) {
    guard shutdown.begin(reason, grace: options.grace) else { return }
    var requeued = 0
    do throws(AMQPError) {
      try link.stopConsuming()
      requeued = try settler.requeueAll(&inbox, on: &link)
      if reason.isFailure { inbox = Inbox() }
    } catch {
      lose(error)
    }
    report(.stopping(reason, running: jobs.count, handedBack: requeued))
  }

  /// Leaves in peace: the broker hears all that there is to say.
  private mutating func leave(_ signals: borrowing Signals) throws(AMQPError) -> Ending {
    flush()
    link.close()
    settler.disconnect()
    let counts = settler.counts
    report(.stopped(state))
    if Interruption.hasEndedRequests, let signal = signals.receive().last { return .killed(signal: signal) }
    if case .failure(let error) = shutdown.reason { throw error }
    return .stopped(shutdown.reason ?? .bound, counts)
  }

  /// Leaves now: commands are ended, tasks go back.
  private mutating func abandon(_ signal: Int32, _ signals: borrowing Signals) -> Ending {
    let count = jobs.count + inbox.count + settler.pending
    report(.abandoned(running: count, acknowledges: options.acknowledges))
    settleOrLose(jobs.interrupt())
    let end = Deadline.after(min(Self.commandTimeout, options.command?.killAfter ?? .zero))
    var wasKilled = false
    while jobs.count > 0 {
      if !wasKilled && (end.hasPassed || !stopSignals(signals).isEmpty) {
        wasKilled = true
        jobs.kill()
      }
      EventLoop.wait(
        for: [signals.descriptor, signals.childDescriptor],
        until: wasKilled ? .after(Self.commandTimeout) : end)
      signals.receiveChildren()
      settleOrLose(jobs.reap())
    }
    do throws(AMQPError) {
      try settler.giveUpCopies(on: &link)
      try settler.requeueAll(&inbox, on: &link, replaces: false)
    } catch {
      link.drop()
    }
    flush()
    link.close(by: .after(Self.farewellTimeout))
    return .killed(signal: signal)
  }

  /// Tells the broker of all that is done; closing the connection waits until it has read that.
  private mutating func flush() {
    do throws(AMQPError) {
      try settler.requeueUnpublishable(on: &link)
      try link.flush()
    } catch {
      link.drop()  // the broker redelivers those tasks
    }
  }
}
