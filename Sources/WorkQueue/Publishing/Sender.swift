internal import AMQP
internal import Glibc

/// Publishes until it is known what became of each message: publish, the worker's copies and move all use it.
///
/// 1. It connects to the first of the brokers that accepts, and creates the queues that are missing: one that exists
///    is used as it is, whatever its properties, and costs no request.
/// 2. After a lost connection it sends again all that was not confirmed, in the order of adding.
/// 3. What the broker declines is sent again over a new connection, when nothing is in flight: RabbitMQ 3.10 refuses
///    all that comes by a channel whose first message met a quorum queue without a leader, also when it has one.
/// 4. A broker that neither confirms nor reads for `confirmTimeout` is given up.
/// 5. Its owner decides for how long it is worth while: after an error, it calls `lose(_:)` and `scheduleRetry(by:)`.
struct Sender<Item: Outgoing>: ~Copyable {
  /// An item, and how it stands.
  struct Parcel {
    let item: Item
    /// In the order of adding.
    fileprivate let number: Int
    /// How often it was returned for want of a queue.
    fileprivate var returns = 0
  }

  typealias Settled = (parcel: Parcel, reply: BrokerReply)

  private let options: SenderOptions
  private let report: (SenderEvent) -> Void
  /// In the order in which they are tried.
  private var addresses: [Address]
  /// How many of them have failed in turn since a message was confirmed.
  private var failures = 0
  private var pipeline: Pipeline?
  private var added = 0
  /// By their tickets on the present pipeline.
  private var inFlight: [Int: Parcel] = [:]
  private var unsent = Fifo<Parcel>()
  private var settled = Fifo<Settled>()
  /// When what is unsent may be sent.
  private var retryAt = Deadline.now
  private var backoff = Backoff()
  /// Whether the broker has declined a message on the present connection and confirmed none since.
  private var isDeclined = false
  /// Why the broker blocks publishers, if it does.
  private var blockedReason: String?
  /// Whether messages were sent without confirms on the present connection: the broker may not have read them.
  private(set) var hasUnreadMessages = false
  private var declared = DeclaredQueues()
  private var waitingQueues = WaitingQueues()

  init(_ options: SenderOptions, report: @escaping (SenderEvent) -> Void) {
    (self.options, self.report) = (options, report)
    addresses = options.addresses
  }

  // MARK: How it stands

  /// How many messages are not settled.
  var pending: Int { unsent.count + inFlight.count }
  /// How many messages are sent and not settled.
  var unconfirmed: Int { inFlight.count }
  /// Whether nothing is to be sent or settled.
  var isIdle: Bool { mutating get { pending == 0 && settled.isEmpty && !hasUnsentBytes } }
  /// Whether another message would be sent at once.
  var hasRoom: Bool { mutating get { unsent.isEmpty && pipeline?.hasRoom == true } }
  /// Whether nothing may be sent now: the broker has declined a message, which is sent later and before others.
  var isPaused: Bool { !unsent.isEmpty && (!retryAt.hasPassed || isDeclined && !inFlight.isEmpty) }

  var isConnected: Bool { pipeline != nil }
  var descriptor: Int32? { mutating get { pipeline?.descriptor } }
  var hasUnsentBytes: Bool { mutating get { pipeline?.hasUnsent ?? false } }
  var address: Address? { mutating get { pipeline?.address } }
  /// The broker's product and version; empty while it is not known.
  var broker: String { mutating get { pipeline?.broker ?? "" } }

  /// When something is due, if nothing happens before.
  var nextDeadline: Deadline {
    mutating get {
      let maySend = isDeclined ? inFlight.isEmpty : pipeline?.hasRoom ?? true
      var deadline = !unsent.isEmpty && maySend ? retryAt : .never
      if let interval = pipeline?.serviceInterval { deadline = min(deadline, .after(interval)) }
      return min(deadline, confirmDeadline)
    }
  }

  /// When the broker must have confirmed the oldest message in flight.
  private var confirmDeadline: Deadline {
    mutating get {
      guard !options.waitsWhileBlocked || blockedReason == nil, let since = pipeline?.waitingSince else {
        return .never
      }
      return since + options.confirmTimeout
    }
  }

  // MARK: Sending

  /// Adds a message; it is sent by the next `flush()`.
  mutating func add(_ item: Item) {
    added += 1
    unsent.append(Parcel(item: item, number: added))
  }

  /// Sends a message, on the present connection.
  ///
  /// - Throws: what ends the connection; the message is kept.
  mutating func send(_ item: Item) throws(AMQPError) {
    added += 1
    try put(Parcel(item: item, number: added))
  }

  /// Sends what may be sent of what was added or must be sent again; connects for that.
  ///
  /// - Throws: what ends the connection.
  mutating func flush() throws(AMQPError) {
    guard !unsent.isEmpty, !isPaused else { return }
    if isDeclined { disconnect() }
    try connect()
    while !isPaused, pipeline?.hasRoom == true, let parcel = unsent.popFirst() { try put(parcel) }
  }

  /// The next message of which it is known what became of it.
  ///
  /// - Returns: nil when none was settled within `timeout`.
  /// - Throws: what ends the connection; `timedOut` when the broker has not confirmed one in time.
  mutating func next(within timeout: Duration = .zero) throws(AMQPError) -> Settled? {
    while true {
      if let next = settled.popFirst() { return next }
      guard let answer = try pipeline?.next(within: timeout) else { break }
      try handle(answer)
    }
    guard confirmDeadline.hasPassed else { return nil }
    let reason = blockedReason.map { "the broker takes no tasks: \($0)" }
    throw AMQPError(.timedOut, options.operation, reason ?? "the broker has not confirmed the task in time")
  }

  /// Sends a message again when the broker may take it: after `basic.nack`, when nothing is in flight any more.
  mutating func sendLater(_ parcel: Parcel, after reply: BrokerReply, by limit: Deadline = .never) {
    unsent.append(Parcel(item: parcel.item, number: parcel.number))
    if case .declined = reply { isDeclined = true }
    waitingQueues.forget()
    scheduleRetry(by: limit)
  }

  /// Waits until the broker has read what was sent without confirms.
  ///
  /// - Returns: whether nothing was returned that had to be sent again.
  mutating func isRead() throws(AMQPError) -> Bool {
    try pipeline?.publishBarrier()
    var isQuiet = true
    while let answer = try pipeline?.next(within: .zero) {
      try handle(answer)
      isQuiet = false
    }
    return isQuiet
  }

  private mutating func put(_ parcel: Parcel) throws(AMQPError) {
    do throws(AMQPError) {
      var ticket: Int?
      if parcel.item.route == .direct {
        ticket = try pipeline?.send(parcel.item.envelope)
      } else {
        var envelope = parcel.item.envelope
        guard let queue = try declareQueue(for: parcel.item.route, envelope.routingKey) else {
          return settled.append((parcel, Self.missing(envelope.routingKey)))
        }
        envelope.routingKey = queue
        ticket = try pipeline?.send(envelope)
      }
      guard let ticket else { return unsent.append(parcel) }
      if options.confirms {
        inFlight[ticket] = parcel
      } else {
        hasUnreadMessages = true
        settled.append((parcel, .confirmed))
      }
    } catch  where error.kind == .tooLarge {
      settled.append((parcel, .refused(reason: error.detail)))
    } catch {
      unsent.append(parcel)
      throw error
    }
  }

  // MARK: Replies

  private mutating func handle(_ answer: Pipeline.Answer) throws(AMQPError) {
    switch answer {
    case .settled(let ticket, let reply):
      guard let parcel = inFlight.removeValue(forKey: ticket) else { return }
      switch reply {
      case .unroutable: return try returned(parcel, ticket, reply)
      case .confirmed, .refused:
        (failures, isDeclined) = (0, false)
        backoff.reset()
      case .declined, .missing: break
      }
      settled.append((parcel, reply))
    case .returned(let envelope, let reason): try returned(envelope, reason)
    case .blocked(let reason):
      blockedReason = reason
      report(.blocked(reason: reason, timeout: options.confirmTimeout))
    case .unblocked:
      blockedReason = nil
      report(.unblocked)
    }
  }

  /// A message was returned for want of a queue.
  private mutating func returned(
    _ parcel: Parcel, _ ticket: Int, _ reply: BrokerReply
  ) throws(AMQPError) {
    var again = parcel
    again.returns += 1
    let envelope = parcel.item.envelope
    let isDirect = parcel.item.route == .direct
    let mayExist = !isDirect || options.missingQueue != .report
    // Of an empty name the broker would make a queue of any name.
    guard mayExist, envelope.exchange.isEmpty, !envelope.routingKey.isEmpty, again.returns <= 3 else {
      return settled.append((parcel, reply))
    }
    do throws(AMQPError) {
      if !isDirect {
        waitingQueues.forget()
      } else if options.missingQueue == .create {
        try create(envelope.routingKey, for: ticket)
      } else if try !exists(envelope.routingKey) {
        return settled.append((parcel, Self.missing(envelope.routingKey)))
      }
    } catch {
      unsent.append(again)
      throw error
    }
    try put(again)
  }

  /// A message that was sent without confirms was returned.
  private mutating func returned(_ envelope: Envelope, _ reason: String) throws(AMQPError) {
    guard envelope.exchange.isEmpty && !envelope.routingKey.isEmpty else {
      throw AMQPError(.unroutable, options.operation, "no queue takes it: \(reason)")
    }
    guard options.missingQueue == .create else {
      throw AMQPError(
        .notFound, "\(options.operation) to queue '\(envelope.routingKey)'", "it does not exist")
    }
    try create(envelope.routingKey, for: .max)
    _ = try pipeline?.send(envelope)
  }

  private static func missing(_ queue: String) -> BrokerReply {
    .missing(reason: "queue '\(queue)' does not exist")
  }

  // MARK: Queues

  /// What the broker says of a queue; nil when there is none.
  mutating func status(ofQueue name: String) throws(AMQPError) -> Queue.Status? {
    try connect()
    return try pipeline?.status(ofQueue: name)
  }

  /// Whether a queue exists, as the broker has said a moment ago.
  ///
  /// - Throws: `unavailable` when it exists and cannot be reached.
  mutating func exists(_ queue: String) throws(AMQPError) -> Bool {
    if let exists = declared.answer(for: queue) { return exists }
    let exists = try status(ofQueue: queue) != nil
    declared.answered(exists, for: queue)
    return exists
  }

  /// Creates a queue for want of which a message was returned, unless that was done after the message was sent.
  private mutating func create(_ queue: String, for ticket: Int) throws(AMQPError) {
    guard declared.isMissing(queue, at: ticket) else { return }
    report(.declaring(queue: queue))
    try pipeline?.ensure(queue: queue)
    declared.created(queue, before: pipeline?.nextTicket ?? 0)
  }

  /// Declares the queue of a route, once on each connection; for a delay, the work queue, too.
  ///
  /// - Returns: its name; nil when the work queue is missing, and is not to be created.
  private mutating func declareQueue(for route: Route, _ name: String) throws(AMQPError) -> String? {
    let report = report
    let tell = { (event: WaitingQueueEvent) in report(.waitingQueue(event)) }
    switch route {
    case .direct: return name
    case .failedQueue:
      try waitingQueues.declareFailedQueue(name, on: &pipeline, tell)
      return name
    case .retry(let time):
      return try waitingQueues.declare(WaitingQueue.retry(of: name, after: time), on: &pipeline, tell)
    case .delay(let time):
      let week = ISOWeek(secondsSince1970: Glibc.time(nil))
      let queue = WaitingQueue.delay(of: name, by: time, in: week)
      if let declared = waitingQueues.name(of: queue) { return declared }
      if options.missingQueue == .create {
        try pipeline?.ensure(queue: name)
      } else if try pipeline?.status(ofQueue: name) == nil {
        return nil
      }
      return try waitingQueues.declare(queue, on: &pipeline, tell)
    }
  }

  // MARK: Connections

  /// Connects, if it is not connected.
  mutating func connect() throws(AMQPError) {
    guard pipeline == nil else { return }
    pipeline = try Pipeline(firstOf: addresses, options)
    declared = DeclaredQueues()
    waitingQueues.forget()
    (isDeclined, hasUnreadMessages, blockedReason) = (false, false, nil)
  }

  /// Closes the connection, on which nothing is unconfirmed.
  mutating func disconnect() {
    pipeline.take()?.close()
  }

  /// Gives the connection up after an error; what is unconfirmed is sent again over the next one.
  ///
  /// - Returns: whether another broker is to be tried at once: this one fails for now, and not all have failed yet.
  mutating func lose(_ error: AMQPError) -> Bool {
    var hasOther = false
    if error.isTransient, let address = pipeline?.address {
      addresses.moveToEnd(address)
      failures += 1
      hasOther = failures < addresses.count
    }
    pipeline = nil
    blockedReason = nil
    unsent = Fifo(takeAll())
    retryAt = .now
    return hasOther
  }

  /// Has what is unsent wait by back-off, until `limit` at most.
  @discardableResult
  mutating func scheduleRetry(by limit: Deadline = .never) -> Duration {
    failures = 0
    if retryAt.hasPassed { retryAt = min(.after(backoff.delay()), limit) }
    return retryAt.remaining ?? .zero
  }

  /// Takes out the messages that are not settled and for which `isWanted` holds; one that was sent may still get
  /// through. Without `inFlight`, only those that are not sent.
  mutating func remove(inFlight: Bool = true, where isWanted: (Item) -> Bool) -> [Item] {
    var removed = unsent.remove { isWanted($0.item) }
    if inFlight {
      for (ticket, parcel) in self.inFlight where isWanted(parcel.item) {
        removed.append(parcel)
        self.inFlight[ticket] = nil
      }
    }
    return removed.sorted { $0.number < $1.number }.map(\.item)
  }

  /// Takes out all that is not settled, and gives the connection up.
  mutating func abandon() -> [Item] {
    pipeline = nil
    return takeAll().map(\.item)
  }

  private mutating func takeAll() -> [Parcel] {
    var parcels = Array(inFlight.values)
    inFlight = [:]
    while let parcel = unsent.popFirst() { parcels.append(parcel) }
    return parcels.sorted { $0.number < $1.number }
  }
}

/// Which queues a sender has seen to on its present connection.
struct DeclaredQueues {
  /// The first ticket after the queue was created.
  private var boundaries: [String: Int] = [:]
  private var answers: [String: (exists: Bool, until: Deadline)] = [:]

  /// Whether the queue was missing when this ticket's message was sent, as far as we know.
  func isMissing(_ queue: String, at ticket: Int) -> Bool { ticket >= boundaries[queue] ?? 0 }
  mutating func created(_ queue: String, before ticket: Int) { boundaries[queue] = ticket }

  /// What the broker has just answered about a queue, so that it is not asked for each of many messages.
  func answer(for queue: String) -> Bool? { answers[queue].flatMap { $0.until.hasPassed ? nil : $0.exists } }
  mutating func answered(_ exists: Bool, for queue: String) { answers[queue] = (exists, .after(.seconds(1))) }
}
