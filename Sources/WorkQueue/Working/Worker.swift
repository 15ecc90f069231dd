package import AMQP
internal import Glibc

/// The loop that processes a queue's tasks.
///
/// 1. A turn handles the broker's events, starts tasks, settles those that have ended, sends the results to the
///    broker, and waits for the next event. It never sleeps and never runs a task in-line.
/// 2. Each part has its own state and `nextDeadline`; actions that concern several parts are here.
/// 3. The first signal stops it when the running tasks are done, the second now. Unfinished tasks are requeued.
package struct Worker: ~Copyable {
  /// Why a worker stopped.
  package enum ExitReason: Equatable, Sendable {
    /// Stopped, with every task finished or requeued.
    case stopped(StopReason, TaskCounts)
    /// Stopped by a second signal; the process should die of that signal.
    case killed(signal: Int32)
  }

  /// Maximum events per turn, so that acknowledgements and signals are not delayed.
  private static let largestTurn = 1000
  /// How long commands may take to exit when the worker stops now, before they are killed.
  private static let commandTimeout = Duration.seconds(1)
  /// How long the broker may take to read what was sent when the worker stops now.
  private static let farewellTimeout = Duration.milliseconds(400)

  private let context: WorkerContext
  private var options: Options { context.options }
  private var report: (WorkerEvent) -> Void { context.report }
  private let started = Deadline.now
  private var link: Link
  private var bench: Workbench
  private var drain: Drain
  private var shutdown = Shutdown()
  private var loop = EventLoop()
  private var progress: Progress
  /// Whether to report that it consumes again.
  private var resumes = false

  /// `report` is called for each event, when it happens.
  package init(_ options: Options, report: @escaping (WorkerEvent) -> Void) {
    context = WorkerContext(options, report: report)
    link = Link(context)
    bench = Workbench(context)
    drain = Drain(options.bounds)
    progress = Progress(options)
  }

  /// Works until a signal, a bound or a failure stops it.
  ///
  /// - Throws: why the first connection failed, or an error that a new connection would not fix.
  package mutating func run() throws(AMQPError) -> ExitReason {
    let signals = try Signals(Signals.ending, others: [SIGUSR1], requestsEndAfter: 2)
    try connect(signals)
    while true {
      let isDrained = serve()
      if shutdown.isUnderway && bench.isEmpty && isDrained && !link.awaitsAnswer && bench.closeJobs() {
        return try shutDown(signals)
      }
      wait(signals, isDrained: isDrained)
      bench.read(loop.ready)
      if loop.isReady(signals.childDescriptor) { reap(signals) }
      for signal in loop.isReady(signals.descriptor) ? stopSignals(signals) : [] {
        if shutdown.endsNow(by: signal, isIdle: bench.isEmpty) { return shutDownNow(signal, signals) }
        stop(.signal(signal))
      }
      if let signal = shutdown.overdueSignal { return shutDownNow(signal, signals) }
    }
  }

  private mutating func connect(_ signals: borrowing Signals) throws(AMQPError) {
    let end = Deadline.after(options.reconnectsFor ?? .zero)
    while !link.isConnected {
      var failure: AMQPError?
      do throws(AMQPError) { try link.connectFirst(until: end) } catch { failure = error }
      if failure == nil, !link.isConnected {
        EventLoop.wait(for: [signals.descriptor], until: link.nextDeadline(isStopping: false))
      }
      if let signal = stopSignals(signals).first { return stop(.signal(signal)) }
      if let failure { throw failure }
    }
  }

  /// The signals that ask to stop; SIGUSR1 is answered by a report of the state.
  private func stopSignals(_ signals: borrowing Signals) -> [Int32] {
    let all = signals.receive()
    guard all.contains(SIGUSR1) else { return all }
    report(.state(state))
    return all.filter { $0 != SIGUSR1 }
  }

  private var state: WorkerState {
    WorkerState(
      address: link.address, running: bench.running, prefetched: bench.prefetched, waiting: progress.waiting,
      counts: bench.counts, attempts: context.attempts, uptime: .now - started)
  }

  private mutating func reap(_ signals: borrowing Signals) {
    signals.receiveChildren()
    attempt { (worker) throws(AMQPError) in try worker.bench.reap(on: &worker.link) }
  }

  /// Runs an action that may find the connection lost, or a reason to stop.
  private mutating func attempt(_ body: (inout Worker) throws(AMQPError) -> Void) {
    do throws(AMQPError) {
      try body(&self)
    } catch {
      lose(error)
    }
    heedStopReasons()
  }

  private mutating func heedStopReasons() {
    for reason in bench.takeStopReasons() { stop(reason) }
  }

  // MARK: One turn of the loop

  /// Serves the connection, or tries to reconnect, and the tasks.
  ///
  /// - Returns: whether no buffered event is left to handle now.
  private mutating func serve() -> Bool {
    var isDrained = true
    attempt { (worker) throws(AMQPError) in
      if !worker.shutdown.isUnderway, try worker.link.reconnectIfDue() { worker.drain.reset() }
      isDrained = try worker.readEvents()
      try worker.bench.step(on: &worker.link, worker.shutdown)
      // Before acknowledgements let the broker deliver more.
      worker.heedStopReasons()
      try worker.checkBounds()
      worker.report(.caughtUp)
      try worker.reportProgress()
      try worker.link.flush()
    }
    return isDrained && !(link.holdsEvents && bench.hasRoom)
  }

  private mutating func reportProgress() throws(AMQPError) {
    guard progress.isDue() else { return }
    report(.progress(state))
    if progress.isCountDue() { try link.requestCount() }
  }

  /// Handles the broker's events while there is room for tasks.
  ///
  /// The results of one read are sent before the next read: by then the broker has delivered more.
  ///
  /// - Returns: whether no buffered event is left to handle now.
  private mutating func readEvents() throws(AMQPError) -> Bool {
    for _ in 0..<Self.largestTurn {
      guard bench.hasRoom else {
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
    case .delivered(let delivery):
      progress.delivered()
      try bench.receive(delivery, on: &link, shutdown)
    case .declared(let status): progress.counted(status)
    case .cancelled(let consumer): try cancelled(consumer)
    case .channelClosed(let error):
      let timeout = link.learnTimeLimit(from: error)
      report(.channelClosed(error, running: bench.running, timeout: timeout))
      bench.forgetVoid(link)
      try resume()
    case .consuming:
      if resumes { report(.resumed(queue: options.queue)) }
      resumes = false
    case .confirmed, .returned, .blocked, .unblocked, .got:
      break  // for publishers, or not requested; the broker never blocks a connection that does not publish
    }
  }

  /// Handles the end of a consumer: the queue is gone, or a task took too long.
  private mutating func cancelled(_ consumer: String) throws(AMQPError) {
    switch link.cancelled(consumer) {
    case .timedOut(let tasks):
      bench.forgetVoid(link)
      // Without a stale task, the result of the late one was sent before the cancel arrived.
      if tasks > 0 || !link.isConsuming { report(.timedOut(tasks: tasks, limit: link.timeLimit.limit)) }
    case .queueGone:
      report(.cancelled(queue: options.queue))
      try bench.requeueAll(on: &link)
    case nil: return
    }
    try resume()
  }

  private mutating func resume() throws(AMQPError) {
    guard !shutdown.isUnderway, !bench.isHeld, link.isConnected, !link.isConsuming else { return }
    resumes = true
    try link.consume()
  }

  /// Handles a lost connection, or a failed attempt to reconnect.
  private mutating func lose(_ error: AMQPError) {
    let loss = link.lose(error, running: bench.running, isStopping: shutdown.isUnderway)
    if loss.isNew { bench.forgetVoid(link, lostResults: loss.results) }
    if loss.isFinal { stop(.failure(error)) }
  }

  // MARK: Waiting

  /// When to act if no event arrives before.
  private var nextDeadline: Deadline {
    mutating get {
      let isIdle = bench.drainState.isIdle && link.isConnected
      let drain = drain.nextDeadline(isIdle: isIdle, awaitsAnswer: link.awaitsAnswer)
      let bound = shutdown.isUnderway ? shutdown.nextDeadline : drain
      let connection = link.nextDeadline(isStopping: shutdown.isUnderway, isReading: bench.hasRoom)
      return min(min(bench.nextDeadline, bound), min(connection, progress.nextDeadline))
    }
  }

  private mutating func wait(_ signals: borrowing Signals, isDrained: Bool) {
    loop.removeAll()
    loop.watch(signals.descriptor)
    loop.watch(signals.childDescriptor)
    link.watch(on: &loop, forReading: bench.hasRoom)
    bench.watch(on: &loop)
    // Last, because a runner that sends tasks to its processes gets other deadlines.
    loop.wait(until: isDrained ? nextDeadline : .now)
  }

  // MARK: Stopping

  /// Stops if a bound is reached; during a shutdown, enforces the limits for tasks and copies.
  private mutating func checkBounds() throws(AMQPError) {
    guard shutdown.isUnderway else {
      if try drain.step(on: &link, bench.drainState, bench.calendar) { stop(.bound) }
      return
    }
    if shutdown.endsGrace() {
      if bench.running > 0 { report(.graceIsOver(running: bench.running)) }
      try bench.interrupt(on: &link)
    }
    // Without a connection, the broker redelivers our tasks anyway.
    let isCutOff = !link.isConnected && options.acknowledges
    guard bench.hasOnlyCopies, shutdown.givesUpCopies() || isCutOff else { return }
    try bench.giveUpCopies(on: &link)
  }

  /// Stops consuming and requeues tasks that were not started; running tasks may finish.
  private mutating func stop(_ reason: StopReason) {
    guard shutdown.begin(reason, grace: options.grace) else { return }
    var requeued = 0
    attempt { (worker) throws(AMQPError) in try worker.link.stopConsuming() }
    attempt { (worker) throws(AMQPError) in requeued = try worker.bench.stop(reason, on: &worker.link) }
    report(.stopping(reason, running: bench.running, released: requeued))
  }

  /// Exits gracefully: the broker receives all results.
  private mutating func shutDown(_ signals: borrowing Signals) throws(AMQPError) -> ExitReason {
    flush()
    link.close()
    bench.disconnect()
    report(.stopped(state))
    if Interruption.hasEndedRequests, let signal = signals.receive().last { return .killed(signal: signal) }
    if case .failure(let error) = shutdown.reason { throw error }
    return .stopped(shutdown.reason ?? .bound, bench.counts)
  }

  /// Stops now: ends the commands and requeues their tasks.
  private mutating func shutDownNow(_ signal: Int32, _ signals: borrowing Signals) -> ExitReason {
    report(.stoppedNow(running: bench.unsettled, acknowledges: options.acknowledges))
    attempt { (worker) throws(AMQPError) in try worker.bench.interrupt(on: &worker.link) }
    let end = Deadline.after(min(Self.commandTimeout, options.command?.killAfter ?? .zero))
    var wasKilled = false
    while bench.running > 0 || !bench.closeJobs() {
      if !wasKilled && (end.hasPassed || !stopSignals(signals).isEmpty) {
        wasKilled = true
        bench.kill()
      }
      EventLoop.wait(
        for: [signals.descriptor, signals.childDescriptor],
        until: wasKilled ? .after(Self.commandTimeout) : end)
      reap(signals)
    }
    do throws(AMQPError) { try bench.giveUp(on: &link) } catch { link.drop() }
    flush()
    link.close(by: .after(Self.farewellTimeout))
    return .killed(signal: signal)
  }

  /// Sends all results to the broker; closing the connection waits until the broker has read them.
  private mutating func flush() {
    do throws(AMQPError) {
      try bench.requeueHeld(on: &link)
      try link.flush()
    } catch {
      link.drop()  // the broker redelivers those tasks
    }
  }
}
