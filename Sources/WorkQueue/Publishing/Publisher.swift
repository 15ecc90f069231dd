package import AMQP

/// Sends tasks so that the word "published" can be believed.
///
/// 1. Every task is mandatory and confirmed: a queue has it, and the broker has taken responsibility.
/// 2. A queue that is missing is made when a task comes back for want of it, and the task is sent again;
///    so an existing queue is used as it is, whatever its properties, and costs no question.
/// 3. A broker that does not confirm, or does not read, is given `confirmTimeout` and no more.
/// 4. After a lost connection, all that was not confirmed is sent again, and so is what the broker does not
///    take for now, as long as `retryFor` allows. The latter goes over a new connection: RabbitMQ 3.10 refuses
///    all that comes by a channel whose first task met a quorum queue without a leader, also when it has one.
/// 5. It reads its source only as fast as the broker confirms, and never waits for one of the two alone.
/// 6. After a signal to stop it waits for the confirms in flight, for `confirmTimeout` at most.
package struct Publisher: ~Copyable {
  /// To which broker tasks go, and how sure of it we want to be.
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    /// Whether a missing queue is made.
    package var declares = true
    /// Whether tasks name exchanges of their own, so that one that is missing is that task's fault.
    package var mixesExchanges = false
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

  struct Sent {
    let task: PublishTask
    /// How often it has come back for want of a queue.
    let returns: Int
  }

  let options: Options
  /// The brokers in the order in which they are tried.
  var addresses: [Address]
  /// How many of them have refused in turn since a task was confirmed.
  var refusals = 0
  /// Whether tasks were sent without confirms on the present connection: the broker may not have read them.
  var hasUnreadTasks = false
  let report: (PublisherEvent) -> Void
  var pipeline: Pipeline?
  /// By their tickets on the present pipeline.
  var onTheirWay: [Int: Sent] = [:]
  /// To be sent again: the connection was lost over them, or the broker did not take them.
  var again = Fifo<PublishTask>()
  /// When they may be.
  var againTime = Deadline.now
  /// Whether the broker has declined a task on the present connection and confirmed none since.
  var isDeclined = false
  var made = MadeQueues()
  var waitingQueues = WaitingQueues()
  var backoff = Backoff()
  /// Until when a broker that is away, or takes nothing, is tried again.
  var retryUntil: Deadline?
  /// Until when confirms are awaited after a signal to stop.
  var stopUntil: Deadline?
  var blockedReason: String?
  var hasGreeted = false
  var hasDeclined = false

  /// `report` is told of what happens on the way.
  package init(_ options: Options, report: @escaping (PublisherEvent) -> Void) {
    self.options = options
    addresses = options.addresses
    self.report = report
  }

  /// How many tasks wait in these queues together; a queue that does not exist has none.
  package mutating func waiting(in queues: [String]) throws(AMQPError) -> Int {
    while true {
      do throws(AMQPError) {
        try connect()
        var count = 0
        for queue in queues { count += Int(try pipeline?.status(ofQueue: queue)?.waiting ?? 0) }
        return count
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

  /// Says good-bye, when there is a connection.
  package consuming func close() {
    disconnect()
  }

  // MARK: The loop

  /// Takes one turn: sends what may be sent, hears what there is to hear, and waits for more of either.
  ///
  /// - Returns: whether everything is done.
  private mutating func serve(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> Bool {
    if isDeclined && !isPaused { disconnect() }
    try connect()
    let supply = try fill(&source)
    while let notice = try pipeline?.next(within: .zero) { try handle(notice, &source) }
    greet()
    if supply == .end && onTheirWay.isEmpty && again.isEmpty && pipeline?.hasUnsent == false {
      if options.confirms { return true }
      return try isRead(&source)
    }
    if supply == nil && pipeline?.hasRoom == true && !isPaused { return false }
    var due = min(try stopDue(), pipeline?.serviceInterval.map { Deadline.after($0) } ?? .never)
    if isPaused && !againTime.hasPassed { due = min(due, againTime) }
    if let since = pipeline?.waitingSince {
      let limit = since + options.confirmTimeout
      guard !limit.hasPassed else { throw timedOut }
      due = min(due, limit)
    }
    wait(for: supply, until: due)
    return false
  }

  /// Whether nothing may be sent now: the broker has declined a task, which is sent again later and before others.
  var isPaused: Bool {
    !again.isEmpty && (!againTime.hasPassed || isDeclined && !onTheirWay.isEmpty)
  }

  /// Puts tasks on their way while there is room.
  ///
  /// - Returns: why no more went: what the source says, or nil when the window is full, or nothing may go now.
  private mutating func fill(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> Supply? {
    while pipeline?.hasRoom == true {
      guard !isPaused else { return nil }
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
    if case .wait(let input) = supply { readable += [input, Interruption.attempt] }
    EventLoop.wait(for: readable, writable: pipeline?.hasUnsent == true ? socket : -1, until: due)
  }

  mutating func handle(_ notice: Pipeline.Notice, _ source: inout some TaskSource & ~Copyable)
    throws(AMQPError)
  {
    switch notice {
    case .settled(let ticket, let verdict):
      switch verdict {
      case .declined, .unroutable: break  // No progress: its queue may be out of reach for long.
      case .confirmed, .refused:
        retryUntil = nil
        refusals = 0
        isDeclined = false
        backoff.reset()
      }
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

/// What a publisher has to say on its way.
package enum PublisherEvent: Equatable, Sendable {
  case connected(broker: String, address: Address)
  /// A task came back because there is no such queue.
  case declaring(queue: String)
  case waitingQueue(WaitingQueueEvent)
  /// The broker takes nothing in for now; we wait for `patience` at the most.
  case blocked(reason: String, patience: Duration)
  case unblocked
  /// For the first time the broker did not take a task; it is tried again for `patience` after the last that
  /// it took.
  case declined(reason: String, patience: Duration)
  /// The connection failed; the next attempt comes in `retry`, at once with another broker when that is zero.
  case lost(AMQPError, onTheirWay: Int, retry: Duration)
}
