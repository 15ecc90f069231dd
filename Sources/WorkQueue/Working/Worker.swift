package import AMQP
internal import Glibc

/// The loop that works on a queue's tasks.
///
/// 1. It takes what the broker has sent, starts what it may, finishes what is due, tells the broker, and
///    then waits until something else can happen: it never sleeps and never works in-line.
/// 2. A task is settled after its work, in the session that it came by, or not at all.
/// 3. A lost connection is made again with back-off, while what runs goes on; so is a consumer that the
///    broker cancelled.
/// 4. A task that failed is put off or parked by a copy, and acknowledged when a queue has that.
/// 5. The first signal ends it when the running tasks are done; the second ends it now. What was not
///    done goes back to the queue.
package struct Worker: ~Copyable {
  /// Which tasks a worker takes, what it does with them, and when it leaves.
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    package var queue: String
    /// The consumer's name, as the broker shows it.
    package var consumer: String
    /// This machine's name, for the tasks that failed here.
    package var host: String
    /// Whether a missing queue is made.
    package var declares = true
    /// How many tasks the broker hands us beyond those acknowledged; 0 is no limit.
    package var prefetch: UInt16 = 1
    /// How many tasks are worked on side by side.
    package var jobs = 1
    /// Whether the broker keeps a task until its work is done.
    package var acknowledges = true
    /// What works on the tasks; nil is pretending.
    package var command: Command.Options?
    /// How long the pretended work takes for each dot.
    package var dot = Duration.seconds(1)
    package var policy = RetryPolicy()
    package var failedQueue: String
    package var bounds = Bounds()
    /// How long running tasks may take after the first signal; nil is as long as they like.
    package var grace: Duration?
    /// How long a broker may be away, from the first connection on; nil is for ever.
    package var reconnectsFor: Duration?

    package init(
      addresses: [Address], connection: Connection.Options, queue: String, consumer: String, host: String
    ) {
      self.addresses = addresses
      self.connection = connection
      self.queue = queue
      self.consumer = consumer
      self.host = host
      failedQueue = "\(queue).failed"
    }
  }

  /// How a worker has come to its end.
  package enum Ending: Equatable, Sendable {
    /// Stopped, with everything finished or given back.
    case stopped(StopReason, TaskCounts)
    /// Stopped by a second signal, which the process should die by.
    case killed(signal: Int32)
  }

  /// So many events are taken in one go that acknowledgements and signals still get their turn.
  private static let largestTurn = 1000

  let options: Options
  let report: (WorkerEvent) -> Void
  let command: Command?
  let started = Deadline.now

  var subscription: Subscription?
  var backoff = Backoff()
  var nextAttempt = Deadline.never
  /// When the broker will have been away for too long.
  var patienceEnd = Deadline.never
  var consumerTimeout = ConsumerTimeout()

  /// Received and not begun.
  var waiting = Fifo<Waiting>()
  var running: [Job] = []
  var begun = 0
  var retrier: Retrier
  var replacements = Replacements()
  var tally = TaskCounts()

  var stopReason: StopReason?
  var graceEnd = Deadline.never
  /// When copies that cannot be published are given up, because everything else is over.
  var copiesEnd = Deadline.never
  var idleSince = Deadline.now
  var nextLook = Deadline.now
  /// How many tasks were begun or replaced when the queue was last seen empty.
  var begunAtLook = 0
  /// Until when a task that was requeued may be neither counted nor redelivered.
  var requeueEnd = Deadline.now
  /// How often in a row the broker did not know how many tasks wait.
  var doubts = 0
  var calendar = RetryCalendar()
  /// Whether the library may hold something that came in while we asked the broker.
  var mustRead = false
  private var poll = PollSet()

  /// A task in our hands, and since when.
  struct Waiting {
    let delivery: Delivery
    let received: Deadline
    /// Whether it is run although its deliveries make it suspicious: it could not be replaced.
    var mayRun = false
  }

  /// `report` is told of all that happens, as it happens.
  package init(_ options: Options, report: @escaping (WorkerEvent) -> Void) {
    self.options = options
    self.report = report
    command = options.command.map { Command($0) }
    retrier = Retrier(options)
  }

  /// Works until a signal, a bound or a failure ends it.
  ///
  /// - Throws: why the first connection failed, or what no new connection would mend.
  package mutating func run() throws(AMQPError) -> Ending {
    let signals = try Signals([SIGINT, SIGTERM, SIGHUP, SIGUSR1], requestsEndAfter: 2)
    try connectFirst(signals)
    while true {
      let isDrained = serve()
      if isOver && isDrained {
        leave()
        if Interruption.hasEndedRequests, let signal = signals.receive().last {
          return .killed(signal: signal)
        }
        if case .failure(let error) = stopReason { throw error }
        return .stopped(stopReason ?? .bound, tally)
      }
      wait(signals, until: isDrained ? wakeUp() : .now)
      if poll.isReady(signals.childDescriptor) {
        signals.receiveChildren()
        reap()
      }
      guard poll.isReady(signals.descriptor) else { continue }
      for signal in stopSignals(signals) {
        if case .signal = stopReason { return abandon(signal, signals) }
        stop(.signal(signal))
      }
    }
  }

  /// The signals that ask to stop; one that asks for the state is answered.
  mutating func stopSignals(_ signals: borrowing Signals) -> [Int32] {
    let all = signals.receive()
    guard all.contains(SIGUSR1) else { return all }
    let address = subscription?.address
    var counts = tally
    counts.scheduled = calendar.scheduled()
    report(
      .state(address, running: running.count, waiting: waiting.count, counts, after: .now - started))
    return all.filter { $0 != SIGUSR1 }
  }

  /// Takes one turn with the connections, or tries to get one, and with the tasks.
  ///
  /// What came in by one read is answered before the next: the broker has more for us by then.
  ///
  /// - Returns: whether there is nothing left to read without a look at the socket.
  private mutating func serve() -> Bool {
    var isDrained = false
    mustRead = false
    do throws(AMQPError) {
      if subscription == nil && nextAttempt.hasPassed && stopReason == nil { try reconnect() }
      for _ in 0..<Self.largestTurn {
        guard let event = try subscription?.nextEvent() else {
          isDrained = true
          break
        }
        try handle(event)
        if subscription?.mayHoldEvents != true {
          isDrained = true
          break
        }
      }
      try tend()
      try startWaiting()
      try settleCopies()
      try checkBounds()
      report(.caughtUp)
      try subscription?.flush()
    } catch {
      lose(error)
    }
    return isDrained && !mustRead
  }

  private mutating func handle(_ event: Event) throws(AMQPError) {
    switch event {
    case .delivered(let delivery): try receive(delivery)
    case .cancelled(let consumer): try cancelled(consumer)
    case .channelClosed(let error):
      report(.channelClosed(error, running: running.count, timeout: consumerTimeout.learn(from: error)))
      dropWaiting()
      try resume()
    case .confirmed, .returned, .blocked, .unblocked, .got:
      break  // a publisher's, or not asked for; the broker never blocks a connection that does not publish
    }
  }

  // MARK: Waiting

  private mutating func wait(_ signals: borrowing Signals, until deadline: Deadline) {
    poll.removeAll()
    poll.add(signals.descriptor)
    poll.add(signals.childDescriptor)
    if let socket = subscription?.descriptor {
      poll.add(socket, orWritable: subscription?.hasUnsent == true)
    }
    if let socket = retrier.descriptor { poll.add(socket, orWritable: retrier.hasUnsent) }
    for job in running {
      for descriptor in job.child?.output.descriptors ?? [] { poll.add(descriptor) }
    }
    poll.wait(until: deadline)
    for job in running {
      guard let output = job.child?.output, output.descriptors.contains(where: poll.isReady) else { continue }
      output.readLines(show)
    }
  }

  /// When something is due, if nothing comes in before.
  private mutating func wakeUp() -> Deadline {
    var moment = min(retrier.wakeUp, nextBound, replacements.nextDeadline)
    for job in running { moment = min(moment, job.nextMoment) }
    if let interval = subscription?.careInterval { moment = min(moment, .after(interval)) }
    if subscription == nil && stopReason == nil { moment = min(moment, nextAttempt, patienceEnd) }
    return moment
  }

  /// Hands on what a command has written.
  var show: CommandOutput.Sink {
    let report = report
    return { report(.output($0, $1)) }
  }
}
