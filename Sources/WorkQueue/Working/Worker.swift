package import AMQP
internal import Glibc

/// The loop that works on a queue's tasks.
///
/// 1. It takes what the broker has sent, starts what it may, finishes what is due, tells the broker, and
///    then waits until something else can happen: it never sleeps and never works in-line.
/// 2. A task is acknowledged after its work, in the session that it came by, or not at all.
/// 3. A lost connection is made again with back-off, while what runs goes on; so is a consumer that the
///    broker cancelled.
/// 4. The first signal ends it when the running tasks are done; the second ends it now. What was not
///    done goes back to the queue.
package struct Worker: ~Copyable {
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    package var queue: String
    /// The consumer's name, as the broker shows it.
    package var consumer: String
    /// Whether a missing queue is made.
    package var declares = true
    /// How many tasks the broker hands us beyond those acknowledged; 0 is no limit.
    package var prefetch: UInt16 = 1
    /// Whether the broker keeps a task until its work is done.
    package var acknowledges = true
    /// How long the fake work takes for each dot.
    package var dot = Duration.seconds(1)

    package init(addresses: [Address], connection: Connection.Options, queue: String, consumer: String) {
      self.addresses = addresses
      self.connection = connection
      self.queue = queue
      self.consumer = consumer
    }
  }

  package enum Ending: Equatable, Sendable {
    /// Stopped by one signal, with everything finished or given back.
    case stopped
    /// Stopped by a second signal, which the process should die by.
    case killed(signal: Int32)
  }

  /// So many events are taken in one go that acknowledgements and signals still get their turn.
  private static let largestTurn = 1000

  private let options: Options
  private let report: (WorkerEvent) -> Void
  private var subscription: Subscription?
  private var backoff = Backoff()
  private var nextAttempt = Deadline.never
  /// Received and not begun.
  private var waiting = Fifo<Delivery>()
  private var running: Job?
  private var isStopping = false

  /// `report` is told of all that happens, as it happens.
  package init(_ options: Options, report: @escaping (WorkerEvent) -> Void) {
    self.options = options
    self.report = report
  }

  /// Works until a signal ends it.
  ///
  /// - Throws: why the first connection failed, or what no new connection would mend.
  package mutating func run() throws(AMQPError) -> Ending {
    let first = try Subscription.open(options)
    report(.waiting(broker: first.broker, address: first.address))
    subscription = consume first
    // Before this point, a signal does what signals do.
    let signals = Signals([SIGINT, SIGTERM, SIGHUP])
    while true {
      let isDrained = try serve()
      if isStopping && running == nil && waiting.isEmpty {
        subscription.take()?.close()
        return .stopped
      }
      Poll.wait(for: descriptors(signals.descriptor), until: isDrained ? wakeUp() : .now)
      for signal in signals.receive() {
        if isStopping { return abandon(signal) }
        try stop()
      }
    }
  }

  /// Takes one turn with the connection, or tries to get one.
  ///
  /// - Returns: whether there is nothing left to read.
  private mutating func serve() throws(AMQPError) -> Bool {
    do throws(AMQPError) {
      if subscription == nil && nextAttempt.hasPassed && !isStopping { try reconnect() }
      for _ in 0..<Self.largestTurn {
        guard let event = try subscription?.nextEvent() else {
          work()
          try subscription?.flush()
          return true
        }
        try handle(event)
        work()
      }
      try subscription?.flush()
      return false
    } catch {
      try lose(error)
      return true
    }
  }

  private mutating func handle(_ event: Event) throws(AMQPError) {
    switch event {
    case .delivered(let delivery) where isStopping && options.acknowledges:
      try subscription?.handBack(delivery.tag)
    case .delivered(let delivery):
      waiting.append(delivery)
    case .cancelled:
      report(.cancelled(queue: options.queue))
      try handBackWaiting()
      try resume()
    case .channelClosed(let error):
      report(.channelClosed(error, running: running == nil ? 0 : 1))
      dropWaiting()
      try resume()
    case .confirmed, .returned, .blocked, .unblocked, .got:
      break  // a publisher's, or not asked for; the broker never blocks a connection that does not publish
    }
  }

  // MARK: Tasks

  /// Finishes what is due and begins what may begin.
  private mutating func work() {
    while true {
      if let job = running {
        guard job.due.hasPassed else { return }
        finish(job)
      }
      guard let delivery = waiting.popFirst() else { return }
      report(.received(delivery))
      running = Job(delivery, dot: options.dot)
    }
  }

  private mutating func finish(_ job: Job) {
    running = nil
    let took = Deadline.now - job.started
    let counts = subscription?.finished(job.delivery.tag) ?? !options.acknowledges
    report(counts ? .done(job.delivery, took) : .doneInVain(job.delivery, took))
  }

  @discardableResult
  private mutating func handBackWaiting() throws(AMQPError) -> Int {
    guard options.acknowledges else { return 0 }  // ours alone now: nobody else will do them
    let count = waiting.count
    while let delivery = waiting.popFirst() { try subscription?.handBack(delivery.tag) }
    return count
  }

  /// Forgets the tasks that the broker gives to someone else anyway.
  private mutating func dropWaiting() {
    if options.acknowledges { waiting = Fifo() }
  }

  // MARK: The connection

  private mutating func resume() throws(AMQPError) {
    guard !isStopping else { return }
    try subscription?.consume()
    report(.resumed(queue: options.queue))
  }

  private mutating func reconnect() throws(AMQPError) {
    let new = try Subscription.open(options)
    report(.reconnected(broker: new.broker, address: new.address))
    subscription = consume new
    backoff.reset()
  }

  /// Takes note that the connection is gone, or could not be made again.
  private mutating func lose(_ error: AMQPError) throws(AMQPError) {
    guard error.isTransient else { throw error }
    let delay = backoff.delay()
    nextAttempt = .after(delay)
    if subscription == nil {
      report(.unreachable(error, retry: delay))
    } else {
      subscription = nil
      dropWaiting()
      report(.lost(error, running: running == nil ? 0 : 1, retry: delay))
    }
  }

  // MARK: Waiting and stopping

  private mutating func descriptors(_ signals: Int32) -> [Int32] {
    guard let socket = subscription?.descriptor else { return [signals] }
    return [signals, socket]
  }

  /// When something is due, if nothing comes in before.
  private mutating func wakeUp() -> Deadline {
    var moment = running?.due ?? .never
    if let interval = subscription?.careInterval { moment = min(moment, .after(interval)) }
    if subscription == nil && !isStopping { moment = min(moment, nextAttempt) }
    return moment
  }

  private mutating func stop() throws(AMQPError) {
    isStopping = true
    var handedBack = 0
    do throws(AMQPError) {
      try subscription?.stopConsuming()
      handedBack = try handBackWaiting()
    } catch {
      try lose(error)
    }
    report(.stopping(running: running == nil ? 0 : 1, handedBack: handedBack))
  }

  private mutating func abandon(_ signal: Int32) -> Ending {
    let count = (running == nil ? 0 : 1) + waiting.count
    subscription.take()?.close()
    report(.abandoned(running: count, acknowledges: options.acknowledges))
    return .killed(signal: signal)
  }
}
