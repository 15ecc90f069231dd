package import AMQP
internal import Glibc

/// Moves tasks from one queue to another.
///
/// 1. A task is acknowledged in the source after the broker has confirmed its copy in the target. Whatever ends the
///    move, no task is lost; at worst, a task whose copy was in flight is in both queues.
/// 2. Tasks that are not moved are requeued at the end, in their order: see `QueueScan`.
/// 3. The first signal stops the move when the broker has confirmed the copies in flight, the second immediately.
package struct Mover: ~Copyable {
  /// Maximum tasks and bytes received per turn, so that confirms and signals are not delayed.
  private static let largestTurn = (tasks: 1000, bytes: 1 << 20)

  private let options: Options
  private let report: (MoverEvent) -> Void
  private var source: Connection
  private var sender: Sender<MovedTask>
  private var scan: QueueScan
  private var ledger: AckLedger
  /// Number of tasks that wait in the source at the start; the move does not look beyond them.
  package private(set) var waiting: Int
  /// Whether tasks that stay are replaced if they were returned often.
  private let replaces: Bool
  private let version: BrokerVersion?
  private var progress = Progress()
  /// Number of copies for the target in flight.
  private var inFlight = 0
  private var stopSignal: Int32?
  private var refusal: String?
  /// When the source must be read for its heartbeats, even while the target accepts no more.
  private var nextService = Deadline.now

  private struct Progress {
    var seen = 0
    var matched = 0
    var moved = 0
    var left = 0
    /// Tasks that stay, and those that arrived when no more were wanted.
    var returned = 0
    var replaced = 0
    /// Whether the source delivers no more.
    var isAtEnd = false
    var countsDeliveries = false
  }

  /// Connects, and looks up both queues; from then on, `report` is called for each event.
  ///
  /// - Throws: `notFound` when a queue is missing, or why the brokers refuse the connection.
  package static func open(
    _ options: Options, report: @escaping (MoverEvent) -> Void
  ) throws(AMQPError) -> Mover {
    try Connection.withFirst(of: options.addresses, options.connection) { connection throws(AMQPError) in
      var source = connection
      guard try source.status(ofQueue: options.source) != nil else { throw missingSource(options) }
      let replaces = try source.mustReplaceReturnedTasks(
        ofQueue: options.source, isFailedQueue: false)
      guard try source.status(ofQueue: options.target) != nil else { throw missingTarget(options) }
      // A refusal has closed the channel; the ledger needs the session that delivers the tasks.
      guard let found = try source.knownStatus(ofQueue: options.source, within: options.connection.rpcTimeout)
      else { throw missingSource(options) }
      let sender = Sender<MovedTask>(options.sender) { event in
        switch event {
        case .blocked(let reason, let timeout): report(.blocked(reason: reason, timeout: timeout))
        case .unblocked: report(.unblocked)
        case .connected, .declaring, .waitingQueue, .declined, .lost: break  // for publishers
        }
      }
      return Mover(options, source, sender, waiting: Int(found.waiting), replaces: replaces, report)
    }
  }

  private init(
    _ options: Options, _ source: consuming Connection, _ sender: consuming Sender<MovedTask>, waiting: Int,
    replaces: Bool, _ report: @escaping (MoverEvent) -> Void
  ) {
    self.options = options
    self.report = report
    self.waiting = waiting
    self.replaces = replaces
    version = BrokerVersion(broker: source.broker)
    ledger = AckLedger(session: source.session)
    scan = QueueScan(
      queue: options.source, waiting: waiting, limit: options.scanLimit(waiting: waiting), on: version,
      options.connection)
    self.source = source
    self.sender = sender
  }

  package var address: Address { source.address }
  package var balance: Balance {
    Balance(
      moved: progress.moved, left: progress.left, uncertain: inFlight,
      countsDeliveries: progress.countsDeliveries && progress.returned > progress.replaced,
      replaced: progress.replaced)
  }
  /// Maximum number of tasks that it will move.
  package var goal: Int { min(options.limit ?? waiting, waiting) }

  /// Moves tasks until all are moved, or a signal stops it.
  ///
  /// - Throws: the error that ended a connection, or why tasks could not be received.
  package mutating func run() throws(AMQPError) -> ExitReason {
    let signals = try Signals([SIGINT, SIGTERM, SIGHUP], requestsEndAfter: 2)
    do throws(AMQPError) {
      return try run(signals)
    } catch {
      guard error.kind == .interrupted, let signal = signals.receive().last else { throw error }
      return .killed(signal: signal)
    }
  }

  private mutating func run(_ signals: borrowing Signals) throws(AMQPError) -> ExitReason {
    while true {
      let isReading = mayRead
      let isDrained = try isReading ? takeTasks() : true
      try sender.connect()
      try sender.flush()
      while let (parcel, reply) = try sender.next() { settle(parcel.item, reply) }
      for ack in ledger.flush() { try source.acknowledge(ack.tag, multiple: ack.multiple) }
      source.sendUnsent()
      if progress.isAtEnd && sender.pending == 0 {
        try scan.release(&source, acknowledged: progress.moved + progress.replaced)
        if let stopSignal { return .stopped(signal: stopSignal) }
        return refusal.map { .refused(reason: $0) } ?? .complete
      }
      EventLoop.wait(
        for: [mayRead ? source.descriptor : -1, sender.descriptor ?? -1, signals.descriptor],
        writable: sender.waitsForWriting ? sender.descriptor ?? -1 : -1,
        until: isDrained && isReading == mayRead ? nextDeadline : .now)
      for signal in signals.receive() {
        if stopSignal != nil { return .killed(signal: signal) }
        stopSignal = signal
        report(.stopping(unconfirmed: inFlight))
      }
    }
  }

  /// Closes both connections; the broker requeues received tasks that were not settled.
  package consuming func close() {
    source.close(within: min(options.timeout, .seconds(5)))
    sender.disconnect()
  }

  // MARK: Source queue

  private var wantsMore: Bool {
    stopSignal == nil && refusal == nil
      && (progress.seen == 0 || progress.seen < waiting && progress.matched < goal)
  }

  /// Whether to read the source; the broker delivers no more while it is not read.
  private var mayRead: Bool {
    mutating get {
      !progress.isAtEnd && (sender.hasRoom || !wantsMore || nextService.hasPassed)
    }
  }

  /// Receives tasks while the turn has room.
  ///
  /// - Returns: whether no more have arrived.
  private mutating func takeTasks() throws(AMQPError) -> Bool {
    nextService = source.nextService
    let isForced = !sender.hasRoom
    var turn = Self.largestTurn
    while turn.tasks > 0 && turn.bytes > 0 {
      if !wantsMore { scan.finish() }
      guard isForced || sender.hasRoom || !wantsMore else { return true }
      switch try scan.next(&source, within: .zero) {
      case .task(let task):
        if waiting == 0 && progress.seen == 0 { try recount() }
        turn.tasks -= 1
        turn.bytes -= task.message.body.count
        try take(task)
      case .nothing: return true
      case .end:
        progress.isAtEnd = scan.isStopped
        guard !progress.isAtEnd else { return true }
        try scan.stop(&source)
      }
    }
    return false
  }

  /// Counts the waiting tasks again, after a task arrived from a queue that reported none.
  ///
  /// RabbitMQ reports 0 for a quorum queue whenever its leader does not answer.
  private mutating func recount() throws(AMQPError) {
    let timeout = options.connection.rpcTimeout
    let others = try source.knownStatus(ofQueue: options.source, within: timeout)?.waiting ?? 0
    waiting = 1 + Int(others)
    scan.expect(waiting, limit: options.scanLimit(waiting: waiting))
  }

  private mutating func take(_ task: Delivery) throws(AMQPError) {
    let isWanted = wantsMore && progress.seen < waiting
    progress.seen += 1
    if task.message.properties.headers?["x-delivery-count"] != nil, version?.countsReturns != false {
      progress.countsDeliveries = true
    }
    ledger.opened(task.tag)
    guard isWanted, options.selects(task.message) else {
      if isWanted { progress.left += 1 }
      progress.returned += 1
      guard replaces, Replacer.mustReplace(task, on: version) else { return scan.keep(task.tag) }
      let copy = task.replacement(in: options.source, starts: task.history.starts)
      return try sender.send(MovedTask(task.tag, copy, to: options.source, isReplacement: true))
    }
    let copy = task.message.moved(keepsAttempts: options.keepsAttempts)
    try sender.send(MovedTask(task.tag, copy, to: options.target))
    inFlight += 1
    progress.matched += 1
  }

  // MARK: Target queue

  private mutating func settle(_ task: MovedTask, _ reply: BrokerReply) {
    if task.isReplacement {
      guard case .confirmed = reply else { return scan.keep(task.tag) }
      _ = ledger.finished(task.tag)
      scan.hasCopies = true
      progress.replaced += 1
      return
    }
    inFlight -= 1
    switch reply {
    case .confirmed:
      _ = ledger.finished(task.tag)
      progress.moved += 1
      report(.moved(progress.moved, of: goal))
    case .unroutable(let reason), .refused(let reason), .declined(let reason), .missing(let reason):
      refusal = refusal ?? reason
      progress.left += 1
      progress.returned += 1
      scan.keep(task.tag)
    }
  }

  // MARK: Waiting

  private var nextDeadline: Deadline {
    mutating get {
      let deadline = min(sender.nextDeadline, mayRead ? scan.nextDeadline : nextService)
      return min(deadline, source.nextService)
    }
  }
}

extension Mover.Options {
  /// Number of tasks to scan; without a selection, every task that arrives is moved.
  fileprivate func scanLimit(waiting: Int) -> Int { chooses ? waiting : min(limit ?? waiting, waiting) }

  fileprivate var sender: SenderOptions {
    var sender = SenderOptions(addresses, connection)
    sender.operation = "move to queue '\(target)'"
    sender.confirmTimeout = timeout
    return sender
  }
}
