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
  package enum ExitReason: Equatable, Sendable {
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
  /// Whether it is to be reported when it consumes.
  private var resumes = false

  /// `report` is told of all that happens, as it happens.
  package init(_ options: Options, report: @escaping (WorkerEvent) -> Void) {
    context = WorkerContext(options, report: report)
    link = Link(context)
    bench = Workbench(context)
    drain = Drain(options.bounds)
    progress = Progress(options)
  }

  /// Works until a signal, a bound or a failure ends it.
  ///
  /// - Throws: why the first connection failed, or what no new connection would mend.
  package mutating func run() throws(AMQPError) -> ExitReason {
    let signals = try Signals(Signals.ending, others: [SIGUSR1], requestsEndAfter: 2)
    try connect(signals)
    while true {
      let isDrained = serve()
      if shutdown.isUnderway && bench.isEmpty && isDrained && !link.awaitsAnswer && bench.closeJobs() {
        return try leave(signals)
      }
      wait(signals, until: isDrained ? nextDeadline : .now)
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

  /// The signals that ask to stop; one that asks for the state is answered.
  private func stopSignals(_ signals: borrowing Signals) -> [Int32] {
    let all = signals.receive()
    guard all.contains(SIGUSR1) else { return all }
    report(.state(state))
    return all.filter { $0 != SIGUSR1 }
  }

  private var state: WorkerState {
    WorkerState(
      address: link.address, running: bench.running, prefetched: bench.prefetched, waiting: progress.waiting,
      counts: bench.counts, uptime: .now - started)
  }

  private mutating func reap(_ signals: borrowing Signals) {
    signals.receiveChildren()
    attempt { (worker) throws(AMQPError) in try worker.bench.reap(on: &worker.link) }
  }

  /// Does what may find out that the connection is lost, or that the worker is to stop.
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

  // MARK: A turn

  /// Takes one turn with the connection, or tries to get one, and with the tasks.
  ///
  /// - Returns: whether there is nothing left to read without a look at the socket.
  private mutating func serve() -> Bool {
    var isDrained = true
    attempt { (worker) throws(AMQPError) in
      if !worker.shutdown.isUnderway, try worker.link.reconnectIfDue() { worker.drain.reset() }
      isDrained = try worker.readEvents()
      try worker.bench.step(on: &worker.link, worker.shutdown)
      // Before the broker hears that there is room for more.
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

  /// Takes what the broker has sent, as long as there is room for tasks.
  ///
  /// What came in by one read is answered before the next: the broker has more for us by then.
  ///
  /// - Returns: whether there is nothing left to read without a look at the socket.
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
      break  // a publisher's, or not asked for; the broker never blocks a connection that does not publish
    }
  }

  /// The broker ended a consumer: the queue is gone, or a task took too long.
  private mutating func cancelled(_ consumer: String) throws(AMQPError) {
    switch link.cancelled(consumer) {
    case .timedOut(let tasks):
      bench.forgetVoid(link)
      // Without a void one, the result of the late task was sent before we knew.
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

  /// Takes note that the connection is gone, or could not be made again.
  private mutating func lose(_ error: AMQPError) {
    let loss = link.lose(error, running: bench.running, isStopping: shutdown.isUnderway)
    if loss.isNew { bench.forgetVoid(link, lostResults: loss.results) }
    if loss.isFinal { stop(.failure(error)) }
  }

  // MARK: Waiting

  /// When something is due, if nothing happens before.
  private var nextDeadline: Deadline {
    mutating get {
      let isIdle = bench.drainState.isIdle && link.isConnected
      let drain = drain.nextDeadline(isIdle: isIdle, awaitsAnswer: link.awaitsAnswer)
      let bound = shutdown.isUnderway ? shutdown.nextDeadline : drain
      let connection = link.nextDeadline(isStopping: shutdown.isUnderway, isReading: bench.hasRoom)
      return min(min(bench.nextDeadline, bound), min(connection, progress.nextDeadline))
    }
  }

  private mutating func wait(_ signals: borrowing Signals, until deadline: Deadline) {
    loop.removeAll()
    loop.watch(signals.descriptor)
    loop.watch(signals.childDescriptor)
    link.watch(on: &loop, forReading: bench.hasRoom)
    bench.watch(on: &loop)
    loop.wait(until: deadline)
  }

  // MARK: Stopping

  /// Stops if a bound is reached, and ends what has had its time since the stop began.
  private mutating func checkBounds() throws(AMQPError) {
    guard shutdown.isUnderway else {
      if try drain.step(on: &link, bench.drainState, bench.calendar) { stop(.bound) }
      return
    }
    if shutdown.endsGrace() {
      if bench.running > 0 { report(.graceIsOver(running: bench.running)) }
      try bench.interrupt(on: &link)
    }
    // Without a connection, the broker redelivers what we have, whatever becomes of it here.
    let isCutOff = !link.isConnected && options.acknowledges
    guard bench.hasOnlyCopies, shutdown.givesUpCopies() || isCutOff else { return }
    try bench.giveUpCopies(on: &link)
  }

  /// Takes no more tasks and requeues those not started; what runs may finish.
  private mutating func stop(_ reason: StopReason) {
    guard shutdown.begin(reason, grace: options.grace) else { return }
    var requeued = 0
    attempt { (worker) throws(AMQPError) in try worker.link.stopConsuming() }
    attempt { (worker) throws(AMQPError) in requeued = try worker.bench.stop(reason, on: &worker.link) }
    report(.stopping(reason, running: bench.running, released: requeued))
  }

  /// Leaves in peace: the broker hears all that there is to say.
  private mutating func leave(_ signals: borrowing Signals) throws(AMQPError) -> ExitReason {
    flush()
    link.close()
    bench.disconnect()
    report(.stopped(state))
    if Interruption.hasEndedRequests, let signal = signals.receive().last { return .killed(signal: signal) }
    if case .failure(let error) = shutdown.reason { throw error }
    return .stopped(shutdown.reason ?? .bound, bench.counts)
  }

  /// Leaves now: commands are ended, tasks go back.
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

  /// Tells the broker of all that is done; closing the connection waits until it has read that.
  private mutating func flush() {
    do throws(AMQPError) {
      try bench.requeueHeld(on: &link)
      try link.flush()
    } catch {
      link.drop()  // the broker redelivers those tasks
    }
  }
}
