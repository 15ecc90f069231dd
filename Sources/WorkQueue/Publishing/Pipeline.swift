package import AMQP

/// Sends envelopes so that each one's fate becomes known, with many on their way at a time.
///
/// 1. Every envelope is mandatory and confirmed. It has a ticket, which comes back with the verdict.
/// 2. The log-in and the first envelopes leave together, in one round trip. When the broker answers that
///    with anything but a welcome, all of it is done again step by step.
/// 3. When the broker closes the channel over one of several envelopes, they are sent again one by one,
///    so that the verdict meets the one that it is meant for.
/// 4. It never waits, but in `next(within:)` and the questions about queues.
package struct Pipeline: ~Copyable {
  /// More than this on the way gains nothing, and makes a report of what is unknown longer.
  private static let largestWindow = 1000
  private static let mostBytes = 8 << 20
  /// RabbitMQ 4 takes no larger ones unless told to.
  private static let largestSafeBody = 16 << 20
  /// The kernel has megabytes of its own; more would only be memory.
  private static let mostUnsent = 1 << 20

  /// What the broker has said.
  package enum Notice: Equatable, Sendable {
    case settled(ticket: Int, BrokerReply)
    /// Without confirms: no queue would take it.
    indirect case returned(Envelope, reason: String)
    /// It has stopped reading, for the reason given.
    case blocked(reason: String)
    case unblocked
  }

  /// In the order in which they are tried.
  private var addresses: [Address]
  private let options: Connection.Options
  private let confirms: Bool
  private let mixesExchanges: Bool
  private let leavesHeadroom: Bool
  private var connection: Connection
  private var window = ConfirmWindow()
  /// To be sent again one by one.
  private var suspects = Fifo<(ticket: Int, envelope: Envelope)>()
  private var notices = Fifo<Notice>()
  /// Those that a task has reached on this connection.
  private var knownExchanges: Set<String> = []
  /// The ticket that the next envelope will get.
  package private(set) var nextTicket = 0

  /// Connects to the first of the brokers that answers.
  ///
  /// Without `confirms` nothing is ever settled: what comes back is all that is said. With
  /// `mixesExchanges` a missing exchange is one envelope's fault; without, it ends the connection's use. With
  /// `leavesHeadroom` an envelope is refused whose headers leave no room for those that the broker adds.
  ///
  /// - Throws: why none of them would have us.
  package init(
    firstOf addresses: [Address], _ options: Connection.Options, confirms: Bool = true,
    mixesExchanges: Bool = false, leavesHeadroom: Bool = false
  ) throws(AMQPError) {
    self.addresses = addresses
    self.options = options
    self.confirms = confirms
    self.mixesExchanges = mixesExchanges
    self.leavesHeadroom = leavesHeadroom
    connection = try Connection.open(firstOf: addresses, options, isPipelined: true)
  }

  package var descriptor: Int32 { connection.descriptor }
  package var hasUnsent: Bool { connection.hasUnsent }
  /// How often `next(within:)` must be called.
  package var serviceInterval: Duration? { connection.serviceInterval }
  package var address: Address { connection.address }
  /// The broker's product and version; empty while it has not said a word.
  package var broker: String { connection.broker }
  /// How many envelopes are on their way.
  package var unconfirmed: Int { window.count + suspects.count }

  /// Whether another envelope should be sent now.
  package var hasRoom: Bool {
    suspects.isEmpty && window.count < Self.largestWindow && window.bytes < Self.mostBytes
      && connection.unsentBytes < Self.mostUnsent
  }

  /// Since when the broker owes us something: a confirm, or to read what we send; nil when it does not.
  package var waitingSince: Deadline? {
    if let oldest = window.oldest { return max(oldest, connection.lastProgress ?? oldest) }
    return connection.hasUnsent ? connection.lastProgress : nil
  }

  /// Puts an envelope on its way; it leaves with the next `next(within:)`, together with others.
  ///
  /// - Returns: its ticket. Tickets count from 0.
  /// - Throws: `tooLarge`, before anything is sent.
  package mutating func send(_ envelope: Envelope) throws(AMQPError) -> Int {
    let ticket = nextTicket
    if suspects.isEmpty && !isSuspect(envelope) {
      try put(envelope, ticket)
    } else {
      suspects.append((ticket, envelope))
    }
    nextTicket += 1
    return ticket
  }

  /// The next thing that the broker says of what was sent.
  ///
  /// - Returns: nil when there was nothing within `timeout`.
  /// - Throws: what ends the connection; the fate of what was on its way is unknown then.
  package mutating func next(within timeout: Duration) throws(AMQPError) -> Notice? {
    let deadline = Deadline.after(timeout)
    while true {
      if let notice = notices.popFirst() { return notice }
      try putSuspect()
      guard let event = try nextEvent(within: timeout == .zero ? .zero : deadline.remaining ?? timeout)
      else { return nil }
      try handle(event)
    }
  }

  /// Connects anew, step by step, and sends again all that was on its way.
  private mutating func reconnect() throws(AMQPError) {
    connection = try Connection.open(firstOf: addresses, options)
    knownExchanges = []
    let (again, later) = (window.removeAll(), suspects)
    for entry in again { try putAgain(entry.envelope, entry.ticket) }
    suspects = later
  }

  /// Says good-bye; what has no verdict yet gets none.
  package consuming func close() {
    connection.close()
  }

  // MARK: Questions
  //
  // The broker answers some of them by closing the channel, and what it owed on it is not said any more:
  // so each waits until all that is on its way has its verdict.

  /// Looks a queue up: nil when there is none of that name.
  package mutating func status(ofQueue name: String) throws(AMQPError) -> Queue.Status? {
    try prepareToAsk()
    return try connection.status(ofQueue: name)
  }

  /// Waits until the broker has read all that was sent; what it says of that comes as notices.
  package mutating func waitUntilRead() throws(AMQPError) {
    try prepareToAsk()
    try connection.publishBarrier()
  }

  /// Makes a durable queue of this name if there is none.
  package mutating func ensure(queue name: String) throws(AMQPError) {
    try prepareToAsk()
    try connection.ensure(queue: name)
  }

  /// Makes a queue, or finds that it exists with just these properties.
  @discardableResult
  package mutating func declare(_ queue: Queue) throws(AMQPError) -> Queue.Status {
    try prepareToAsk()
    return try connection.declare(queue)
  }

  /// Connects again after the broker has closed the connection over a question; nothing is unconfirmed then.
  mutating func reopen() throws(AMQPError) {
    try reconnect()
  }

  private mutating func prepareToAsk() throws(AMQPError) {
    try finishLogin()
    let deadline = Deadline.after(options.rpcTimeout)
    while unconfirmed > 0 {
      try putSuspect()
      if let event = try nextEvent(within: deadline.remaining ?? options.rpcTimeout) { try handle(event) }
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
      envelope.message, exchange: envelope.exchange, routingKey: envelope.routingKey, confirms: confirms,
      leavesHeadroom: leavesHeadroom)
    // Until the broker has welcomed us, all of it may have to be said again.
    if confirms || !connection.isOpen { window.sent(envelope, ticket: ticket, tag: tag) }
  }

  /// Puts on its way what was there before; a broker that allows less than others may not take it now.
  private mutating func putAgain(_ envelope: Envelope, _ ticket: Int) throws(AMQPError) {
    do throws(AMQPError) {
      try put(envelope, ticket)
    } catch  where error.kind == .tooLarge && confirms {
      notices.append(.settled(ticket: ticket, .refused(reason: error.detail)))
    }
  }

  /// Whether the broker may close the channel over it: what it has not confirmed by then it never confirms.
  private func isSuspect(_ envelope: Envelope) -> Bool {
    let user = envelope.message.properties.userID
    return user != nil && user != connection.address.username
      || envelope.message.body.count > Self.largestSafeBody
      || mixesExchanges && !envelope.exchange.isEmpty && !knownExchanges.contains(envelope.exchange)
  }

  private mutating func putSuspect() throws(AMQPError) {
    guard window.isEmpty, let suspect = suspects.popFirst() else { return }
    try putAgain(suspect.envelope, suspect.ticket)
  }

  private mutating func nextEvent(within timeout: Duration) throws(AMQPError) -> Event? {
    do throws(AMQPError) {
      let event = try connection.nextEvent(within: timeout)
      if !confirms && connection.isOpen && !window.isEmpty { window = ConfirmWindow() }
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
        if mixesExchanges { knownExchanges.insert(entry.envelope.exchange) }
        notices.append(.settled(ticket: entry.ticket, reply))
      }
    case .returned(let message) where confirms: window.returned(message)
    case .returned(let message):
      let envelope = Envelope(message.message, exchange: message.exchange, routingKey: message.routingKey)
      notices.append(.returned(envelope, reason: message.reason))
    case .channelClosed(let error): try channelClosed(error)
    case .blocked(let reason): notices.append(.blocked(reason: reason))
    case .unblocked: notices.append(.unblocked)
    case .delivered, .got, .cancelled: break
    }
  }

  /// The channel was closed over one of those on their way: finds out which.
  private mutating func channelClosed(_ error: AMQPError) throws(AMQPError) {
    let isOfOne =
      switch error.kind {
      case .preconditionFailed, .tooLarge: true
      case .notFound: mixesExchanges
      default: false
      }
    guard isOfOne, !window.isEmpty else { throw error }
    let all = window.removeAll()
    if all.count == 1 {
      notices.append(.settled(ticket: all[0].ticket, .refused(reason: error.detail)))
    } else {
      // Those that wait to be sent one by one already came after these.
      var first = Fifo<(ticket: Int, envelope: Envelope)>()
      for entry in all { first.append((entry.ticket, entry.envelope)) }
      while let suspect = suspects.popFirst() { first.append(suspect) }
      suspects = first
    }
  }
}
