package import AMQP
internal import Glibc

/// Moves tasks from one queue to another.
///
/// 1. A task is acknowledged in the one queue after the broker has confirmed its copy in the other: whatever
///    ends the move, no task is lost, and at worst one that was on its way is in both.
/// 2. Tasks that are not moved are given back in one go at the end, so that they come back to their places.
/// 3. The first signal ends it when the broker has answered for what is on its way; the second ends it now.
package struct Mover: ~Copyable {
  /// So many tasks are asked for before the first answer is here, unless they are large.
  private static let askWindow = 100
  private static let mostBytes = 8 << 20

  private let options: Options
  private let report: (MoverEvent) -> Void
  private var source: Connection
  private var pipeline: Pipeline
  private var ledger: AckLedger
  /// How many tasks wait in the source at the start, which is as far as it looks.
  package let waiting: Int
  /// Whether tasks that were returned often are replaced when they are left.
  private let replaces: Bool
  private var progress = Progress()
  /// The deliveries whose copies are on their way, by the copies' tickets.
  private var inFlight: [Int: Delivery.Tag] = [:]
  /// The same for tasks that are left, and replaced by copies at the end of the source.
  private var replacing: [Int: Delivery.Tag] = [:]
  private var stopSignal: Int32?
  private var refusal: String?

  private struct Progress {
    var asked = 0
    var answered = 0
    var matched = 0
    var moved = 0
    var left = 0
    var replaced = 0
    var isExhausted = false
    var largestTask = Mover.mostBytes
    var lastAnswer = Deadline.now
    var countsDeliveries = false
  }

  /// Connects, and looks both queues up; `report` is told of what happens from there on.
  ///
  /// - Throws: `notFound` when one of the queues is missing, or why the brokers would not have us.
  package static func open(
    _ options: Options, report: @escaping (MoverEvent) -> Void
  ) throws(AMQPError) -> Mover {
    try Connection.withFirst(of: options.addresses, options.connection) { connection throws(AMQPError) in
      var source = connection
      guard try source.status(ofQueue: options.source) != nil else { throw missingSource(options) }
      let replaces = try source.mustReplaceReturnedTasks(ofQueue: options.source)
      // A refusal has closed the channel; the ledger needs the session in which the tasks come.
      guard let found = try source.status(ofQueue: options.source) else { throw missingSource(options) }
      var pipeline = try Pipeline(firstOf: options.addresses, options.connection)
      guard try pipeline.status(ofQueue: options.target) != nil else { throw missingTarget(options) }
      return Mover(options, source, pipeline, waiting: Int(found.waiting), replaces: replaces, report)
    }
  }

  private init(
    _ options: Options, _ source: consuming Connection, _ pipeline: consuming Pipeline, waiting: Int,
    replaces: Bool, _ report: @escaping (MoverEvent) -> Void
  ) {
    self.options = options
    self.report = report
    self.waiting = waiting
    self.replaces = replaces
    ledger = AckLedger(session: source.session)
    self.source = source
    self.pipeline = pipeline
  }

  package var address: Address { source.address }
  package var balance: Balance {
    Balance(
      moved: progress.moved, left: progress.left, uncertain: inFlight.count,
      countsDeliveries: progress.countsDeliveries && progress.left > progress.replaced,
      replaced: progress.replaced)
  }
  /// How many it means to move at most.
  package var goal: Int { min(options.limit ?? waiting, waiting) }

  /// Moves until it is done, or a signal ends it.
  ///
  /// - Throws: what ended one of the connections, or kept the tasks from being taken.
  package mutating func run() throws(AMQPError) -> Ending {
    let signals = try Signals([SIGINT, SIGTERM, SIGHUP], requestsEndAfter: 2)
    do throws(AMQPError) {
      return try run(signals)
    } catch {
      guard error.kind == .interrupted, let signal = signals.receive().last else { throw error }
      return .killed(signal: signal)
    }
  }

  private mutating func run(_ signals: borrowing Signals) throws(AMQPError) -> Ending {
    while true {
      try ask()
      try takeTasks()
      try takeVerdicts()
      for ack in ledger.flush() { try source.acknowledge(ack.tag, multiple: ack.multiple) }
      if !wantsMore && progress.answered == progress.asked && inFlight.isEmpty && replacing.isEmpty {
        try giveBack()
        if let stopSignal { return .stopped(signal: stopSignal) }
        return refusal.map { .refused(reason: $0) } ?? .complete
      }
      try checkPatience()
      if canAsk { continue }
      EventLoop.wait(
        for: [source.descriptor, pipeline.descriptor, signals.descriptor],
        writable: pipeline.hasUnsent ? pipeline.descriptor : -1, until: wakeUp())
      for signal in signals.receive() {
        if stopSignal != nil { return .killed(signal: signal) }
        stopSignal = signal
        report(.stopping(onTheirWay: inFlight.count))
      }
    }
  }

  /// Closes both connections; what was taken and not settled goes back to the source.
  package consuming func close() {
    source.close(within: min(options.patience, .seconds(5)))
    pipeline.close()
  }

  // MARK: The source

  private var wantsMore: Bool {
    stopSignal == nil && refusal == nil && !progress.isExhausted
      && (isFirstQuestion || progress.asked < waiting && progress.matched < goal)
  }

  /// Asked even where none seems to wait, for the broker's refusal: it counts a stream's tasks late.
  private var isFirstQuestion: Bool { progress.asked == 0 }

  private var canAsk: Bool {
    let outstanding = progress.asked - progress.answered
    // Without a choice to make, every answer is a task to move.
    let isEnough = !isFirstQuestion && !options.chooses && progress.matched + outstanding >= goal
    let window = min(Self.askWindow, max(1, Self.mostBytes / max(progress.largestTask, 1)))
    return wantsMore && !isEnough && outstanding < window && pipeline.hasRoom
  }

  private mutating func ask() throws(AMQPError) {
    while canAsk {
      if progress.asked == progress.answered { progress.lastAnswer = .now }
      try source.ask(queue: options.source)
      progress.asked += 1
    }
  }

  private mutating func takeTasks() throws(AMQPError) {
    while let event = try source.nextAnswer(from: options.source, within: .zero) {
      switch event {
      case .got(let task):
        progress.answered += 1
        progress.lastAnswer = .now
        if let task { try take(task) } else { progress.isExhausted = true }
      case .confirmed, .returned, .delivered, .cancelled, .channelClosed, .blocked, .unblocked: break
      }
    }
  }

  private mutating func take(_ task: Delivery) throws(AMQPError) {
    let size = task.message.body.count
    progress.largestTask = progress.answered == 1 ? size : max(progress.largestTask, size)
    let version = BrokerVersion(broker: source.broker)
    if task.message.properties.headers?["x-delivery-count"] != nil, version?.countsReturns != false {
      progress.countsDeliveries = true
    }
    ledger.opened(task.tag)
    let isWanted = stopSignal == nil && refusal == nil && progress.matched < goal
    guard isWanted, options.selects(task.message) else {
      progress.left += 1
      if replaces, Replacer.mustReplace(task, on: version) {
        let copy = task.replacement(in: options.source, starts: task.history.starts)
        replacing[try pipeline.send(Envelope(copy, routingKey: options.source))] = task.tag
      }
      return
    }
    let copy = task.message.moved(keepsAttempts: options.keepsAttempts)
    let ticket = try pipeline.send(Envelope(copy, routingKey: options.target))
    inFlight[ticket] = task.tag
    progress.matched += 1
  }

  /// Gives back what was not moved, and waits until the broker has acted on that and on all acknowledgements.
  private mutating func giveBack() throws(AMQPError) {
    guard progress.answered > 0 else { return }
    let acknowledged = progress.moved + progress.replaced
    var hasLeft = progress.answered > acknowledged
    if acknowledged > Replacer.fewAcks {
      let more = try source.takeOneMore(of: options.source, within: options.patience)
      if more != nil { hasLeft = true }
    }
    if hasLeft { try source.requeueAll() }
    _ = try source.status(ofQueue: options.source)
  }

  // MARK: The target

  private mutating func takeVerdicts() throws(AMQPError) {
    while let notice = try pipeline.next(within: .zero) {
      switch notice {
      case .settled(let ticket, let verdict): settle(ticket, verdict)
      case .blocked(let reason): report(.blocked(reason: reason, patience: options.patience))
      case .unblocked: report(.unblocked)
      case .returned: break  // only without confirms
      }
    }
  }

  private mutating func settle(_ ticket: Int, _ verdict: Verdict) {
    if let tag = replacing.removeValue(forKey: ticket) {
      guard case .confirmed = verdict else { return }  // it is returned as it is
      _ = ledger.finished(tag)
      progress.replaced += 1
      return
    }
    guard let tag = inFlight.removeValue(forKey: ticket) else { return }
    switch verdict {
    case .confirmed:
      _ = ledger.finished(tag)
      progress.moved += 1
      report(.moved(progress.moved, of: goal))
    case .unroutable(let reason), .refused(let reason), .declined(let reason):
      refusal = refusal ?? reason
      progress.left += 1
    }
  }

  // MARK: Waiting

  private func checkPatience() throws(AMQPError) {
    if let since = pipeline.waitingSince, (since + options.patience).hasPassed {
      throw AMQPError(
        .timedOut, "move to queue '\(options.target)'", "the broker has not confirmed the tasks in time")
    }
    if progress.answered < progress.asked, (progress.lastAnswer + options.patience).hasPassed {
      throw Self.noAnswer(options)
    }
  }

  private static func noAnswer(_ options: Options) -> AMQPError {
    AMQPError(.timedOut, "move from queue '\(options.source)'", "the broker did not answer in time")
  }

  private func wakeUp() -> Deadline {
    var moment = pipeline.waitingSince.map { $0 + options.patience } ?? .never
    if progress.answered < progress.asked { moment = min(moment, progress.lastAnswer + options.patience) }
    for interval in [source.serviceInterval, pipeline.careInterval] {
      if let interval { moment = min(moment, .after(interval)) }
    }
    return moment
  }
}
