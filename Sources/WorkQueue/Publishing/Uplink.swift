internal import AMQP

/// A sender's connection to the first broker that accepts it, and the state of that connection; connecting never
/// blocks.
///
/// The log-in is pipelined with the first messages. If this fails, it is repeated step by step, because some brokers
/// do not support pipelining.
struct Uplink: ~Copyable {
  /// The kernel buffers megabytes itself; more would only use memory.
  private static let mostUnsent = 1 << 20
  /// By default, RabbitMQ 4 accepts no larger bodies.
  private static let largestSafeBody = 16 << 20

  private let options: SenderOptions
  private let report: (SenderEvent) -> Void
  private var brokers: BrokerOrder
  private var isPipelined = true
  /// The connection, even before the log-in is complete; nil without one.
  var connection: Connection?
  /// When the log-in was completed; nil before.
  private var openSince: Deadline?

  private var declarations = Declarations()
  /// The first event after the log-in, until it is handled.
  private var pendingEvent: Event?
  /// The queue's status in the last reply to a request.
  private(set) var lastStatus: Queue.Status?
  /// Why the broker blocks publishers; nil while it does not.
  private var blockedReason: String?
  /// Exchanges that are known to exist.
  private var knownExchanges: Set<String> = []
  /// Whether the broker has declined a message and confirmed none since.
  var isDeclined = false
  /// Whether messages were sent without confirms: the broker may not have read them.
  var hasUnreadMessages = false
  /// The returned ones of these messages, to be sent again.
  private var returned = Fifo<Envelope>()

  init(_ options: SenderOptions, report: @escaping (SenderEvent) -> Void) {
    (self.options, self.report) = (options, report)
    brokers = BrokerOrder(options.addresses)
  }

  var isConnected: Bool { connection != nil }
  var isOpen: Bool { openSince != nil }
  /// Whether messages may be published; with a pipelined log-in, even before it is complete.
  var takesMessages: Bool {
    mutating get {
      guard let unsentBytes = connection?.unsentBytes, unsentBytes < Self.mostUnsent else { return false }
      return (isOpen || isPipelined) && declarations.request == nil
    }
  }

  // MARK: Connecting

  /// Starts to connect, unless it is connected.
  ///
  /// - Throws: why no broker accepts the connection.
  mutating func connect() throws(AMQPError) {
    guard !isConnected else { return }
    declarations.forgetAll()
    try reconnect()
  }

  private mutating func reconnect() throws(AMQPError) {
    brokers.restart()
    (openSince, pendingEvent, blockedReason, knownExchanges) = (nil, nil, nil, [])
    (isDeclined, hasUnreadMessages) = (false, false)
    try connectNext()
  }

  /// Connects to the next broker, or first to `address` again, step by step.
  private mutating func connectNext(again address: Address? = nil) throws(AMQPError) {
    connection = nil
    isPipelined = address == nil
    var next = address
    while let address = next ?? brokers.next() {
      do throws(AMQPError) {
        connection = try Connection.start(address, options.connection, isPipelined: isPipelined)
        return
      } catch { brokers.refused(address, error) }
      (next, isPipelined) = (nil, true)
    }
    throw brokers.error
  }

  /// Starts the next attempt after a failed log-in: step by step, or with the next broker.
  ///
  /// - Throws: `error` after any other failure; why no broker accepts the connection.
  mutating func tryNext(after error: AMQPError) throws(AMQPError) {
    guard error.kind != .interrupted, !isOpen, let address = connection?.address else { throw error }
    if isPipelined, connection?.isConnected == true, connection?.hasMissedLogin == false {
      return try connectNext(again: address)
    }
    brokers.refused(address, error)
    try connectNext()
  }

  /// Makes the next connection begin with another broker, because this one fails for now.
  ///
  /// - Returns: whether there is a broker that has not failed yet.
  mutating func moveOn(after error: AMQPError) -> Bool {
    guard error.isTransient, let address = connection?.address else { return false }
    return brokers.moveToEnd(address)
  }

  /// Counts no broker as failed any more.
  mutating func forgetFailures() { brokers.forgetFailures() }

  /// Closes the socket, and forgets the state of the connection.
  mutating func drop() {
    connection = nil
    (openSince, blockedReason, pendingEvent) = (nil, nil, nil)
    returned = Fifo()
    declarations.forgetAll()
  }

  // MARK: Waiting

  /// When to act if no event arrives before; `oldest` is when the oldest message in flight was sent.
  mutating func nextDeadline(_ oldest: Deadline?) -> Deadline {
    let service = connection?.nextService ?? .never
    return min(service, declarations.deadline ?? .never, confirmDeadline(oldest))
  }

  /// When the broker must have confirmed the oldest message in flight, or read what was sent.
  private mutating func confirmDeadline(_ oldest: Deadline?) -> Deadline {
    guard let openSince, !options.waitsWhileBlocked || blockedReason == nil else { return .never }
    let progress = connection?.lastProgress ?? openSince
    guard let oldest = oldest ?? (connection?.hasUnsent == true ? progress : nil) else { return .never }
    return max(oldest, progress, openSince) + options.confirmTimeout
  }

  /// - Throws: `timedOut` when the broker has not confirmed a message, or answered a request, in time.
  mutating func checkDeadlines(_ oldest: Deadline?) throws(AMQPError) {
    if declarations.deadline?.hasPassed == true, let request = declarations.request {
      throw AMQPError(.timedOut, request.operation, "no answer in time")
    }
    guard confirmDeadline(oldest).hasPassed else { return }
    let reason = blockedReason.map { "the broker blocks publishers: \($0)" }
    throw AMQPError(
      .timedOut, options.operation, reason ?? "the broker has not confirmed the task in time")
  }

  // MARK: Messages

  /// Whether sending settles a message: without confirms, after the log-in.
  var settlesAtOnce: Bool { !options.confirms && isOpen }

  mutating func publish(_ envelope: Envelope) throws(AMQPError) -> UInt64? {
    if settlesAtOnce { hasUnreadMessages = true }
    return try connection?.publish(
      envelope.message, exchange: envelope.exchange, routingKey: envelope.routingKey,
      confirms: options.confirms, leavesHeadroom: options.leavesHeadroom)
  }

  /// Whether the broker may close the channel because of this message; it then confirms nothing that was in flight.
  mutating func mayRefuse(_ envelope: Envelope) -> Bool {
    let user = envelope.message.properties.userID
    return user != nil && user != connection?.address.username
      || envelope.message.body.count > Self.largestSafeBody
      || options.mixesExchanges && !envelope.exchange.isEmpty && !knownExchanges.contains(envelope.exchange)
  }

  /// Notes that the broker has replied to this message.
  mutating func confirmed(_ envelope: Envelope) {
    if options.mixesExchanges { knownExchanges.insert(envelope.exchange) }
  }

  /// Handles the return of a message that was sent without confirms.
  private mutating func returned(_ message: ReturnedMessage) throws(AMQPError) {
    let name = message.routingKey
    guard message.exchange.isEmpty && !name.isEmpty else {
      throw AMQPError(.unroutable, options.operation, "unroutable: \(message.reason)")
    }
    guard options.missingQueue == .create else {
      throw AMQPError(.notFound, "\(options.operation) to queue '\(name)'", "it does not exist")
    }
    if returned.isEmpty { declarations.forget(.queue(name)) }
    returned.append(Envelope(message.message, routingKey: name))
  }

  var hasReturned: Bool { !returned.isEmpty }

  /// Sends the first returned message again, or the request for its queue.
  ///
  /// - Returns: whether the next message may follow.
  mutating func sendReturned() throws(AMQPError) -> Bool {
    guard let envelope = returned.first else { return false }
    let need = Declarations.Need(queue: envelope.routingKey, isReturned: true)
    guard try outcome(of: need, isBusy: false) != nil else { return false }
    _ = returned.popFirst()
    _ = try publish(envelope)
    return true
  }

  // MARK: Queues

  /// The state of a message's queue; nil while a request for it is unanswered, or must wait until nothing is in
  /// flight.
  ///
  /// - Throws: `tooLarge` for the queue's name; the error that ends the connection.
  mutating func outcome(
    of need: Declarations.Need, isBusy: Bool
  ) throws(AMQPError) -> Declarations.Outcome? {
    var last = Declarations.Outcome.ready(name: need.queue)
    for target in declarations.targets(of: need, options.missingQueue) {
      if let outcome = declarations.outcome(of: target) {
        if outcome == .missing { return outcome }
        last = outcome
        continue
      }
      guard !isBusy, isOpen, declarations.request == nil else { return nil }
      if need.isReturned, case .queue(let name) = target { report(.declaring(queue: name)) }
      declarations.begin(target, on: BrokerVersion(broker: connection?.broker ?? ""))
      try sendRequest()
      return nil
    }
    return last
  }

  private mutating func sendRequest() throws(AMQPError) {
    try declarations.send(on: &connection, by: .after(options.connection.rpcTimeout))
  }

  /// Handles the reply to the request, or its refusal, and sends the next request, if one is needed.
  ///
  /// `sent` is the ticket of the last message that was sent.
  ///
  /// - Throws: `error` when there is no request; why the queue cannot be used; the error that ends the connection.
  private mutating func answered(_ error: AMQPError?, after sent: Int) throws(AMQPError) {
    guard declarations.deadline != nil, let request = declarations.request else {
      if let error { throw error }
      return
    }
    let report = report
    try declarations.answered(error.map { AMQPError($0.kind, request.operation, $0.detail) }, after: sent) {
      report(.waitingQueue($0))
    }
    if declarations.request?.needsConnection == true { try reconnect() } else { try sendRequest() }
  }

  /// Forgets the message's queue, unless it was declared after the message with this ticket was sent.
  mutating func forget(_ need: Declarations.Need, at ticket: Int = .max) {
    for target in declarations.targets(of: need, options.missingQueue)
    where declarations.isMissing(target, at: ticket) { declarations.forget(target) }
  }

  // MARK: Events

  /// An event that concerns messages.
  enum Incident {
    /// The log-in is complete.
    case opened
    case event(Event)
  }

  /// The next incident; `sent` is the ticket of the last message that was sent.
  ///
  /// - Throws: why the log-in or the connection failed, unless that is the reply to a request.
  mutating func next(after sent: Int) throws(AMQPError) -> Incident? {
    while true {
      do throws(AMQPError) {
        var event = pendingEvent.take()
        if event == nil { event = try connection?.nextEvent(within: .zero) }
        if !isOpen, connection?.isOpen == true {
          (openSince, pendingEvent) = (.now, event)
          try sendRequest()
          return .opened
        }
        guard let event else { return nil }
        guard try handle(event, after: sent) else { return .event(event) }
      } catch {
        guard isOpen, error.kind != .interrupted else { throw error }
        try answered(error, after: sent)
      }
    }
  }

  /// - Returns: true when the event did not concern a message.
  private mutating func handle(_ event: Event, after sent: Int) throws(AMQPError) -> Bool {
    switch event {
    case .declared(let status):
      lastStatus = status
      try answered(nil, after: sent)
    case .channelClosed(let error) where declarations.deadline != nil: try answered(error, after: sent)
    case .returned(let message) where !options.confirms: try returned(message)
    case .blocked(let reason):
      blockedReason = reason
      report(.blocked(reason: reason, timeout: options.confirmTimeout))
    case .unblocked:
      blockedReason = nil
      report(.unblocked)
    case .confirmed, .returned, .channelClosed, .delivered, .got, .cancelled, .consuming: return false
    }
    return true
  }
}
