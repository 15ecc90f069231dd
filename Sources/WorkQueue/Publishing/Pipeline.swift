internal import AMQP

/// A connection that publishes, with many envelopes in flight at a time, so that the broker's reply to each is known.
///
/// 1. Every envelope is mandatory and confirmed. It has a ticket, which comes back with the reply.
/// 2. The log-in and the first envelopes leave together, in one round trip. When that log-in fails, all of it is
///    done again step by step.
/// 3. When the broker closes the channel over one of several envelopes, they are sent again singly, which tells
///    which of them it was.
/// 4. It waits only in `init`, `next(within:)` and the requests about queues.
struct Pipeline: ~Copyable {
  /// More than this in flight gains nothing, and makes a report of what is unknown longer.
  private static let largestWindow = 1000
  private static let mostBytes = 8 << 20
  /// RabbitMQ 4 takes no larger ones unless told to.
  private static let largestSafeBody = 16 << 20
  /// The kernel has megabytes of its own; more would only be memory.
  private static let mostUnsent = 1 << 20

  /// What the broker has said.
  enum Answer: Equatable, Sendable {
    case settled(ticket: Int, BrokerReply)
    /// Without confirms: no queue would take it.
    indirect case returned(Envelope, reason: String)
    /// It blocks publishers, for the reason given.
    case blocked(reason: String)
    case unblocked
  }

  /// In the order in which they are tried.
  private var addresses: [Address]
  private let options: SenderOptions
  private var connection: Connection
  private var window = ConfirmWindow()
  /// To be sent singly.
  private var resendSingly = Fifo<(ticket: Int, envelope: Envelope)>()
  private var answers = Fifo<Answer>()
  /// Those that exist, as far as this connection knows.
  private var knownExchanges: Set<String> = []
  /// The ticket that the next envelope will get.
  private(set) var nextTicket = 0

  /// Connects to the first of these brokers that answers.
  ///
  /// - Throws: why none of them accepts the connection.
  init(firstOf addresses: [Address], _ options: SenderOptions) throws(AMQPError) {
    (self.addresses, self.options) = (addresses, options)
    connection = try Connection.open(firstOf: addresses, options.connection, isPipelined: true)
  }

  var descriptor: Int32 { connection.descriptor }
  var hasUnsent: Bool { connection.hasUnsent }
  /// How often `next(within:)` must be called.
  var serviceInterval: Duration? { connection.serviceInterval }
  var address: Address { connection.address }
  /// The broker's product and version; empty while it is not known.
  var broker: String { connection.broker }
  /// How many envelopes are in flight.
  var unconfirmed: Int { window.count + resendSingly.count }

  /// Whether another envelope should be sent now.
  var hasRoom: Bool {
    resendSingly.isEmpty && window.count < Self.largestWindow && window.bytes < Self.mostBytes
      && connection.unsentBytes < Self.mostUnsent
  }

  /// Since when a confirm is due from the broker, or a read of what we send; nil when neither is.
  var waitingSince: Deadline? {
    if let oldest = window.oldest { return max(oldest, connection.lastProgress ?? oldest) }
    return connection.hasUnsent ? connection.lastProgress : nil
  }

  /// Sends an envelope; it leaves with the next `next(within:)`, together with others.
  ///
  /// - Returns: its ticket. Tickets count from 0.
  /// - Throws: `tooLarge`, before anything is sent.
  mutating func send(_ envelope: Envelope) throws(AMQPError) -> Int {
    let ticket = nextTicket
    if resendSingly.isEmpty && !mayCloseChannel(envelope) {
      try put(envelope, ticket)
    } else {
      resendSingly.append((ticket, envelope))
    }
    nextTicket += 1
    return ticket
  }

  /// The next answer of the broker's to what was sent.
  ///
  /// - Returns: nil when there was nothing within `timeout`.
  /// - Throws: what ends the connection; what became of the envelopes in flight is unknown then.
  mutating func next(within timeout: Duration) throws(AMQPError) -> Answer? {
    let deadline = Deadline.after(timeout)
    while true {
      if let answer = answers.popFirst() { return answer }
      try sendSingly()
      guard let event = try nextEvent(within: timeout == .zero ? .zero : deadline.remaining ?? timeout)
      else { return nil }
      try handle(event)
    }
  }

  /// Connects again, step by step, and sends again all that was in flight.
  private mutating func reconnect() throws(AMQPError) {
    connection = try Connection.open(firstOf: addresses, options.connection)
    knownExchanges = []
    let (again, later) = (window.removeAll(), resendSingly)
    for entry in again { try putAgain(entry.envelope, entry.ticket) }
    resendSingly = later
  }

  /// Closes the connection; what is in flight gets no reply.
  consuming func close() {
    connection.close()
  }

  // MARK: Requests
  //
  // The broker refuses some of them by closing the channel, and then confirms nothing that was published on it: so
  // each waits until nothing is in flight.

  /// Looks a queue up: nil when there is none of that name.
  mutating func status(ofQueue name: String) throws(AMQPError) -> Queue.Status? {
    try prepareToAsk()
    return try connection.status(ofQueue: name)
  }

  /// Waits until the broker has read all that was sent; its returns are among the answers.
  mutating func publishBarrier() throws(AMQPError) {
    try prepareToAsk()
    try connection.publishBarrier()
  }

  /// Declares a durable queue of this name if there is none.
  mutating func ensure(queue name: String) throws(AMQPError) {
    try prepareToAsk()
    try connection.ensure(queue: name)
  }

  /// Declares a queue, or finds that it exists with just these properties.
  @discardableResult
  mutating func declare(_ queue: Queue) throws(AMQPError) -> Queue.Status {
    try prepareToAsk()
    return try connection.declare(queue)
  }

  /// Connects again after the broker has closed the connection over a request; nothing is unconfirmed then.
  mutating func reopen() throws(AMQPError) {
    try reconnect()
  }

  private mutating func prepareToAsk() throws(AMQPError) {
    try finishLogin()
    let deadline = Deadline.after(options.connection.rpcTimeout)
    while unconfirmed > 0 {
      try sendSingly()
      if let event = try nextEvent(within: deadline.remaining ?? options.connection.rpcTimeout) {
        try handle(event)
      }
      guard unconfirmed == 0 || !deadline.hasPassed else {
        throw AMQPError(.timedOut, "publish", "the broker has not confirmed the task in time")
      }
    }
  }

  private mutating func finishLogin() throws(AMQPError) {
    do throws(AMQPError) {
      try connection.finishLogin()
    } catch {
      try logInAgain(after: error)
    }
  }

  // MARK: The connection

  private mutating func put(_ envelope: Envelope, _ ticket: Int) throws(AMQPError) {
    let tag = try connection.publish(
      envelope.message, exchange: envelope.exchange, routingKey: envelope.routingKey,
      confirms: options.confirms,
      leavesHeadroom: options.leavesHeadroom)
    // Until the log-in is complete, all of it may have to be sent again.
    if options.confirms || !connection.isOpen { window.sent(envelope, ticket: ticket, tag: tag) }
  }

  /// Sends what was in flight before; a broker that allows less than others may not take it now.
  private mutating func putAgain(_ envelope: Envelope, _ ticket: Int) throws(AMQPError) {
    do throws(AMQPError) {
      try put(envelope, ticket)
    } catch  where error.kind == .tooLarge && options.confirms {
      answers.append(.settled(ticket: ticket, .refused(reason: error.detail)))
    }
  }

  /// Whether the broker may close the channel over it: what it has not confirmed by then it never confirms.
  private func mayCloseChannel(_ envelope: Envelope) -> Bool {
    let user = envelope.message.properties.userID
    return user != nil && user != connection.address.username
      || envelope.message.body.count > Self.largestSafeBody
      || options.mixesExchanges && !envelope.exchange.isEmpty && !knownExchanges.contains(envelope.exchange)
  }

  private mutating func sendSingly() throws(AMQPError) {
    guard window.isEmpty, let next = resendSingly.popFirst() else { return }
    try putAgain(next.envelope, next.ticket)
  }

  private mutating func nextEvent(within timeout: Duration) throws(AMQPError) -> Event? {
    do throws(AMQPError) {
      let event = try connection.nextEvent(within: timeout)
      if !options.confirms && connection.isOpen && !window.isEmpty { window = ConfirmWindow() }
      return event
    } catch {
      try logInAgain(after: error)
      return nil
    }
  }

  /// Logs in step by step after a pipelined log-in that failed; with another broker after one that did not answer.
  ///
  /// - Throws: the error, when it was not about the log-in, or no other broker is left.
  private mutating func logInAgain(after error: AMQPError) throws(AMQPError) {
    guard !connection.isOpen, error.kind != .interrupted else { throw error }
    if connection.hasMissedLogin {
      guard addresses.count > 1 else { throw error }
      addresses.moveToEnd(connection.address)
    }
    try reconnect()
  }

  private mutating func handle(_ event: Event) throws(AMQPError) {
    switch event {
    case .confirmed(let tag, let multiple, let accepted):
      for (entry, reply) in window.confirmed(tag: tag, multiple: multiple, accepted: accepted) {
        if options.mixesExchanges { knownExchanges.insert(entry.envelope.exchange) }
        answers.append(.settled(ticket: entry.ticket, reply))
      }
    case .returned(let message) where options.confirms: window.returned(message)
    case .returned(let message):
      let envelope = Envelope(message.message, exchange: message.exchange, routingKey: message.routingKey)
      answers.append(.returned(envelope, reason: message.reason))
    case .channelClosed(let error): try channelClosed(error)
    case .blocked(let reason): answers.append(.blocked(reason: reason))
    case .unblocked: answers.append(.unblocked)
    case .delivered, .got, .cancelled: break
    }
  }

  /// The channel was closed over one of those in flight: finds out which.
  private mutating func channelClosed(_ error: AMQPError) throws(AMQPError) {
    let isOfOne =
      switch error.kind {
      case .preconditionFailed, .tooLarge: true
      case .notFound: options.mixesExchanges
      default: false
      }
    guard isOfOne, !window.isEmpty else { throw error }
    let all = window.removeAll()
    if all.count == 1 {
      answers.append(.settled(ticket: all[0].ticket, .refused(reason: error.detail)))
    } else {
      // Those that already wait to be sent singly came after these.
      var first = Fifo<(ticket: Int, envelope: Envelope)>()
      for entry in all { first.append((entry.ticket, entry.envelope)) }
      while let next = resendSingly.popFirst() { first.append(next) }
      resendSingly = first
    }
  }
}
