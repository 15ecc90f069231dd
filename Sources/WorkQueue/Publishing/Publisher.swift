package import AMQP

/// Sends tasks so that the word "published" can be believed.
///
/// 1. Every task is mandatory and confirmed: a queue has it, and the broker has taken responsibility.
/// 2. A queue that is missing is made when a task comes back for want of it, and the task is sent again;
///    so an existing queue is used as it is, whatever its properties, and costs no question.
/// 3. A broker that does not confirm, or does not read, is given `confirmTimeout` and no more.
/// 4. After a lost connection, all that was not confirmed is sent again, as long as `retryFor` allows.
/// 5. It reads its source only as fast as the broker confirms, and never waits for one of the two alone.
package struct Publisher: ~Copyable {
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    /// Whether a missing queue is made.
    package var declares = true
    /// Whether the broker's confirm is waited for.
    package var confirms = true
    /// For a task's confirm, counted from when the broker has all of it, and for each question.
    package var confirmTimeout = Duration.seconds(30)
    /// How long a broker that is away is tried again.
    package var retryFor = Duration.zero

    package init(addresses: [Address], connection: Connection.Options) {
      self.addresses = addresses
      self.connection = connection
    }
  }

  private struct Sent {
    let task: PublishTask
    /// How often it has come back for want of a queue.
    let returns: Int
  }

  private let options: Options
  private let report: (PublisherEvent) -> Void
  private var pipeline: Pipeline?
  /// By their tickets on the present pipeline.
  private var onTheirWay: [Int: Sent] = [:]
  /// To be sent again: the connection was lost over them.
  private var again = Fifo<PublishTask>()
  private var made = MadeQueues()
  private var backoff = Backoff()
  /// Until when a broker that is away is tried again.
  private var retryUntil: Deadline?
  private var blockedReason: String?
  private var hasGreeted = false

  /// `report` is told of what happens on the way.
  package init(_ options: Options, report: @escaping (PublisherEvent) -> Void) {
    self.options = options
    self.report = report
  }

  /// How many tasks wait in a queue; nil when there is no such queue.
  package mutating func waiting(in queue: String) throws(AMQPError) -> UInt32? {
    while true {
      do throws(AMQPError) {
        try connect()
        return try pipeline?.status(ofQueue: queue)?.waiting
      } catch {
        try retry(after: error)
      }
    }
  }

  /// Publishes all that the source has, and tells it what became of each task.
  ///
  /// - Throws: what ended it before the source did. The tasks that were on their way have failed by then.
  package mutating func publish(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) {
    while true {
      do throws(AMQPError) {
        if try serve(&source) { return }
      } catch {
        do throws(AMQPError) {
          try retry(after: error)
        } catch {
          giveUp(on: &source, error)
          throw error
        }
      }
    }
  }

  package consuming func close() {
    pipeline.take()?.close()
  }

  // MARK: The loop

  /// Takes one turn: sends what may be sent, hears what there is to hear, and waits for more of either.
  ///
  /// - Returns: whether everything is done.
  private mutating func serve(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> Bool {
    try connect()
    let supply = try fill(&source)
    while let notice = try pipeline?.next(within: .zero) { try handle(notice, &source) }
    greet()
    if supply == .end && onTheirWay.isEmpty && again.isEmpty && pipeline?.hasUnsent == false {
      if options.confirms { return true }
      return try isRead(&source)
    }
    if supply == nil && pipeline?.hasRoom == true { return false }
    var due = pipeline?.careInterval.map { Deadline.after($0) } ?? .never
    if let since = pipeline?.waitingSince {
      let limit = since + options.confirmTimeout
      guard !limit.hasPassed else { throw timedOut }
      due = min(due, limit)
    }
    wait(for: supply, until: due)
    return false
  }

  /// Puts tasks on their way while there is room.
  ///
  /// - Returns: why no more went: what the source says, or nil when the window is full.
  private mutating func fill(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> Supply? {
    while pipeline?.hasRoom == true {
      if let task = again.popFirst() {
        try send(task, &source)
        continue
      }
      let supply = source.next()
      guard case .task(let task) = supply else { return supply }
      try send(task, &source)
    }
    return nil
  }

  private mutating func wait(for supply: Supply?, until due: Deadline) {
    let socket = pipeline?.descriptor ?? -1
    var readable = [socket]
    if case .wait(let input) = supply { readable.append(input) }
    Poll.wait(for: readable, writable: pipeline?.hasUnsent == true ? socket : -1, until: due)
  }

  private mutating func handle(_ notice: Pipeline.Notice, _ source: inout some TaskSource & ~Copyable)
    throws(AMQPError)
  {
    switch notice {
    case .settled(let ticket, let verdict):
      retryUntil = nil
      backoff.reset()
      if let sent = onTheirWay.removeValue(forKey: ticket) {
        try settle(sent, ticket, verdict, &source)
      }
    case .returned(let envelope, let reason): try handBack(envelope, reason)
    case .blocked(let reason):
      blockedReason = reason
      report(.blocked(reason: reason, patience: options.confirmTimeout))
    case .unblocked:
      blockedReason = nil
      report(.unblocked)
    }
  }

  private mutating func greet() {
    let broker = pipeline?.broker ?? ""
    guard !hasGreeted && !broker.isEmpty else { return }
    hasGreeted = true
    if let address = pipeline?.address { report(.connected(broker: broker, address: address)) }
  }
}

// MARK: Tasks

extension Publisher {
  private mutating func send(
    _ task: PublishTask, returns: Int = 0, _ source: inout some TaskSource & ~Copyable
  ) throws(AMQPError) {
    var envelope = task.envelope
    if let delay = envelope.delay {
      let queue = DelayQueue(for: envelope.routingKey, delay: delay)
      guard try prepare(queue) else {
        return source.settled(task, .failed(Self.noQueue(queue.workQueue)))
      }
      envelope.routingKey = queue.name
    }
    do throws(AMQPError) {
      guard let ticket = try pipeline?.send(envelope) else { return again.append(task) }
      if options.confirms {
        onTheirWay[ticket] = Sent(task: task, returns: returns)
      } else {
        source.settled(task, .published)
      }
    } catch  where error.kind == .tooLarge {
      source.settled(task, .failed(PublishFailure(.refused, error.detail)))
    }
  }

  private mutating func settle(
    _ sent: Sent, _ ticket: Int, _ verdict: Verdict, _ source: inout some TaskSource & ~Copyable
  ) throws(AMQPError) {
    let envelope = sent.task.envelope
    switch verdict {
    case .confirmed: source.settled(sent.task, .published)
    case .refused(let reason): source.settled(sent.task, .failed(PublishFailure(.refused, reason)))
    case .unroutable(let reason) where !envelope.exchange.isEmpty || sent.returns > 2:
      source.settled(sent.task, .failed(PublishFailure(.refused, "no queue takes it: \(reason)")))
    case .unroutable where !options.declares && envelope.delay == nil:
      source.settled(sent.task, .failed(Self.noQueue(envelope.routingKey)))
    case .unroutable:
      if envelope.delay == nil {
        try make(envelope.routingKey, becauseOf: ticket)
      } else {
        made.forgetLeases()
      }
      try send(sent.task, returns: sent.returns + 1, &source)
    }
  }

  /// Makes a queue for want of which a task came back, unless that was done after the task was sent.
  private mutating func make(_ queue: String, becauseOf ticket: Int) throws(AMQPError) {
    guard made.isMissing(queue, at: ticket) else { return }
    report(.declaring(queue: queue))
    try pipeline?.ensure(queue: queue)
    made.made(queue, before: pipeline?.nextTicket ?? 0)
  }

  /// Makes sure that a delay queue lives long enough for another task, and has where to send it to.
  ///
  /// - Returns: false when the work queue is missing, and is not to be made.
  private mutating func prepare(_ queue: DelayQueue) throws(AMQPError) -> Bool {
    guard !made.hasLease(on: queue.name) else { return true }
    if options.declares {
      try pipeline?.ensure(queue: queue.workQueue)
    } else if try pipeline?.status(ofQueue: queue.workQueue) == nil {
      return false
    }
    try pipeline?.declare(queue.queue)
    made.leased(queue.name)
    return true
  }

  private static func noQueue(_ name: String) -> PublishFailure {
    PublishFailure(.noQueue, "queue '\(name)' does not exist")
  }
}

// MARK: Without confirms

extension Publisher {
  /// A task that nobody waits for came back.
  private mutating func handBack(_ envelope: Envelope, _ reason: String) throws(AMQPError) {
    guard envelope.exchange.isEmpty else {
      throw AMQPError(.unroutable, "publish", "no queue takes it: \(reason)")
    }
    guard options.declares else {
      throw AMQPError(.notFound, "publish", "queue '\(envelope.routingKey)' does not exist")
    }
    report(.declaring(queue: envelope.routingKey))
    try pipeline?.ensure(queue: envelope.routingKey)
    _ = try pipeline?.send(envelope)
  }

  /// Asks the broker something, which it answers when it has read all that was sent before.
  ///
  /// - Returns: whether nothing came back that must be sent again.
  private mutating func isRead(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> Bool {
    _ = try pipeline?.status(ofQueue: "workq.none")
    var isQuiet = true
    while let notice = try pipeline?.next(within: .zero) {
      try handle(notice, &source)
      isQuiet = false
    }
    return isQuiet
  }
}

// MARK: The connection

extension Publisher {
  private mutating func connect() throws(AMQPError) {
    guard pipeline == nil else { return }
    var settings = options.connection
    settings.rpcTimeout = options.confirmTimeout
    pipeline = try Pipeline(firstOf: options.addresses, settings, confirms: options.confirms)
    made = MadeQueues()
  }

  /// Waits for the next attempt, if there is to be one.
  ///
  /// - Throws: the error, when there is none.
  private mutating func retry(after error: AMQPError) throws(AMQPError) {
    guard error.isTransient, options.retryFor > .zero else { throw error }
    let until = retryUntil ?? .after(options.retryFor)
    retryUntil = until
    guard !until.hasPassed else { throw error }
    let delay = min(backoff.delay(), until.remaining ?? .zero)
    report(.lost(error, onTheirWay: onTheirWay.count, retry: delay))
    pipeline = nil
    blockedReason = nil
    for (_, sent) in onTheirWay.sorted(by: { $0.key < $1.key }) { again.append(sent.task) }
    onTheirWay = [:]
    Poll.wait(for: [], until: .after(delay))
  }

  private mutating func giveUp(on source: inout some TaskSource & ~Copyable, _ error: AMQPError) {
    let failure = PublishFailure(.connection(error.kind), error.detail)
    for (_, sent) in onTheirWay.sorted(by: { $0.key < $1.key }) {
      source.settled(sent.task, .failed(failure))
    }
    onTheirWay = [:]
    while let task = again.popFirst() { source.settled(task, .failed(failure)) }
    pipeline = nil
  }

  private var timedOut: AMQPError {
    let reason = blockedReason.map { "the broker takes no tasks: \($0)" }
    return AMQPError(.timedOut, "publish", reason ?? "the broker has not confirmed the task in time")
  }
}

/// Which queues a publisher has seen to on its present connection.
struct MadeQueues {
  /// The first ticket after the queue was made.
  private var boundaries: [String: Int] = [:]
  private var leases: [String: Deadline] = [:]

  /// Whether the queue was missing when this ticket's task was sent, as far as we know.
  func isMissing(_ queue: String, at ticket: Int) -> Bool { ticket >= boundaries[queue] ?? 0 }
  mutating func made(_ queue: String, before ticket: Int) { boundaries[queue] = ticket }

  /// Whether the delay queue was declared so lately that another task is safe in it.
  func hasLease(on queue: String) -> Bool { leases[queue].map { !$0.hasPassed } ?? false }
  mutating func leased(_ queue: String) { leases[queue] = .after(DelayQueue.lease) }
  mutating func forgetLeases() { leases = [:] }
}

/// What a publisher has to say on its way.
package enum PublisherEvent: Equatable, Sendable {
  case connected(broker: String, address: Address)
  /// A task came back because there is no such queue.
  case declaring(queue: String)
  /// The broker takes nothing in for now; we wait for `patience` at the most.
  case blocked(reason: String, patience: Duration)
  case unblocked
  /// The connection failed; the next attempt comes in `retry`.
  case lost(AMQPError, onTheirWay: Int, retry: Duration)
}
