internal import AMQP

/// Publishes until it is known what became of each message: publish, the worker's copies and move all use it.
///
/// 1. It never blocks, but for what its name or comment says. It connects to the first of the brokers that accepts;
///    the log-in and the first messages leave together, and all of it is done again step by step when that fails.
/// 2. Every message is mandatory and confirmed. Missing queues are created; one that exists is used as it is, whatever
///    its properties, and costs no request. A request is sent when nothing is in flight: the broker refuses it
///    by closing the channel, and then confirms nothing that was published on that.
/// 3. After a lost connection it sends again all that was not confirmed, in the order of adding. When the broker
///    closes the channel over one of several messages, they are sent again singly, which tells which it was.
/// 4. What the broker declines is sent again over a new connection, when nothing is in flight: RabbitMQ 3.10 refuses
///    all that comes by a channel whose first message met a quorum queue without a leader, also when it has one.
/// 5. Its owner decides for how long it is worth while: after an error, it calls `lose(_:)` and `scheduleRetry(by:)`.
struct Sender<Item: Outgoing>: ~Copyable {
  typealias Parcel = Outbox<Item>.Parcel
  typealias Settled = Outbox<Item>.Settled

  private static var mostReturns: Int { 3 }

  private let options: SenderOptions
  private var uplink: Uplink
  private var outbox = Outbox<Item>()
  /// Whether what is to be sent next waits for an event.
  private var isHeldUp = false
  /// When what is unsent may be sent.
  private var retryAt = Deadline.now
  private var backoff = Backoff()

  init(_ options: SenderOptions, report: @escaping (SenderEvent) -> Void) {
    self.options = options
    uplink = Uplink(options, report: report)
  }

  // MARK: How it stands

  /// How many messages are not sent, not settled, or not taken by `next()` since.
  var pending: Int { outbox.pending }
  /// How many messages are sent and not settled.
  var unconfirmed: Int { outbox.unconfirmed }
  /// Whether messages were sent without confirms on the present connection: the broker may not have read them.
  var hasUnreadMessages: Bool { uplink.hasUnreadMessages }
  private var hasUnsent: Bool { outbox.hasUnsent || uplink.hasReturned }
  /// Whether nothing is to be sent or settled.
  var isIdle: Bool {
    mutating get { pending == 0 && !uplink.hasReturned && uplink.connection?.hasUnsent != true }
  }
  /// Whether another message would be sent at once.
  var hasRoom: Bool { mutating get { !hasUnsent && maySend } }
  /// Whether nothing may be sent now: the broker has declined a message, which is sent later and before others.
  var isPaused: Bool { hasUnsent && (!retryAt.hasPassed || uplink.isDeclined && outbox.unconfirmed > 0) }
  /// Whether the connection and the window take another message.
  private var maySend: Bool { mutating get { outbox.hasRoom && uplink.takesMessages } }

  var isConnected: Bool { uplink.isConnected }
  /// Whether the log-in is complete.
  var isOpen: Bool { uplink.isOpen }
  var address: Address? { mutating get { uplink.connection?.address } }
  /// The broker's product and version; empty while it is not known.
  var broker: String { mutating get { uplink.connection?.broker ?? "" } }

  // MARK: Waiting

  var descriptor: Int32? { mutating get { uplink.connection?.descriptor } }
  var waitsForWriting: Bool { mutating get { uplink.connection?.waitsForWriting == true } }

  /// When something is due, if nothing happens before.
  var nextDeadline: Deadline {
    mutating get {
      let mayFlush =
        hasUnsent && !isHeldUp && (uplink.isDeclined ? outbox.unconfirmed == 0 : !isConnected || maySend)
      return min(mayFlush ? retryAt : .never, uplink.nextDeadline(outbox.oldest))
    }
  }

  /// Waits until there is something to do.
  ///
  /// - Throws: `interrupted`.
  mutating func wait() throws(AMQPError) {
    let socket = descriptor ?? -1
    EventLoop.wait(
      for: [socket, Interruption.attempt], writable: waitsForWriting ? socket : -1, until: nextDeadline)
    if Signals.stop != nil { throw AMQPError(.interrupted, options.operation, "a signal arrived") }
  }

  // MARK: Sending

  /// Adds a message; it is sent by `flush()`.
  mutating func add(_ item: Item) {
    outbox.append(item)
    isHeldUp = false
  }

  /// Sends a message, when there is room.
  ///
  /// - Throws: what ends the connection; the message is kept.
  mutating func send(_ item: Item) throws(AMQPError) {
    if try !outbox.sendDirectly(item, on: &uplink) { try flush() }
  }

  /// Sends what may be sent of what was added or must be sent again; begins to connect for that.
  ///
  /// - Throws: what ends the connection.
  @inline(never)
  mutating func flush() throws(AMQPError) {
    guard hasUnsent, !isPaused else { return }
    if uplink.isDeclined { disconnect() }
    try connect()
    while maySend, try flushFirst() {}
    isHeldUp = hasUnsent && maySend
  }

  private mutating func flushFirst() throws(AMQPError) -> Bool {
    if uplink.hasReturned { return try uplink.sendReturned() }
    return isPaused ? false : try outbox.sendFirst(on: &uplink)
  }

  /// Waits for what the broker says of a queue, when nothing is to be sent; nil when there is none.
  ///
  /// - Throws: `interrupted` by the first signal, and what ends the connection.
  mutating func status(ofQueue name: String) throws(AMQPError) -> Queue.Status? {
    try connect()
    while true {
      let need = Declarations.Need(queue: name, isReplied: true)
      if let outcome = try uplink.outcome(of: need, isBusy: false) {
        return outcome == .missing ? nil : uplink.lastStatus
      }
      try wait()
      _ = try next()
    }
  }

  /// Waits until the broker has read what was sent without confirms.
  ///
  /// - Returns: whether nothing was returned that must be sent again.
  mutating func isRead() throws(AMQPError) -> Bool {
    guard isOpen else {
      _ = try next()
      if !isOpen { try wait() }
      return false
    }
    try uplink.connection?.publishBarrier()
    _ = try next()
    return isIdle
  }

  // MARK: Answers

  /// The next message of which it is known what became of it.
  ///
  /// - Throws: what ends the connection; `timedOut` when the broker has not confirmed one in time.
  @inline(never)  // or each owner's loop would have a copy
  mutating func next() throws(AMQPError) -> Settled? {
    while true {
      if let next = outbox.popSettled() { return next }
      do throws(AMQPError) {
        guard let incident = try uplink.next(after: outbox.sent) else { break }
        isHeldUp = false
        switch incident {
        case .opened: if uplink.settlesAtOnce, outbox.settleWindow() { uplink.hasUnreadMessages = true }
        case .event(let event): try handle(event)
        }
      } catch {
        if !isOpen, error.kind != .interrupted { outbox.takeBack(areSingle: false) }
        try uplink.tryNext(after: error)
      }
    }
    try uplink.checkDeadlines(outbox.oldest)
    return nil
  }

  private mutating func handle(_ event: Event) throws(AMQPError) {
    switch event {
    case .confirmed(let tag, let multiple, let accepted):
      for (entry, reply) in outbox.confirmed(tag: tag, multiple: multiple, accepted: accepted) {
        uplink.confirmed(entry.envelope)
        settle(entry.ticket, reply)
      }
    case .returned(let message): outbox.returned(message)
    case .channelClosed(let error): try channelClosed(error)
    default: break
    }
  }

  private mutating func settle(_ ticket: Int, _ reply: BrokerReply) {
    guard var parcel = outbox.take(ticket) else { return }
    switch reply {
    case .unroutable where mayCreateQueue(of: parcel):
      parcel.returns += 1
      uplink.forget(parcel.need, at: ticket)
      return outbox.sendAgain(parcel)
    case .confirmed, .refused:
      uplink.isDeclined = false
      uplink.forgetFailures()
      backoff.reset()
    case .unroutable, .declined, .missing: break
    }
    outbox.settle(parcel, reply)
  }

  private func mayCreateQueue(of parcel: Parcel) -> Bool {
    let envelope = parcel.item.envelope
    // Of an empty name the broker would make a queue of any name.
    return envelope.exchange.isEmpty && !envelope.routingKey.isEmpty && parcel.returns < Self.mostReturns
      && (parcel.item.route != .direct || options.missingQueue != .report)
  }

  /// The channel was closed over one of those in flight: finds out which.
  private mutating func channelClosed(_ error: AMQPError) throws(AMQPError) {
    let isOfOne =
      switch error.kind {
      case .preconditionFailed, .tooLarge: true
      case .notFound: options.mixesExchanges
      default: false
      }
    guard isOfOne, !outbox.isWindowEmpty else { throw error }
    for ticket in outbox.findRefused() { settle(ticket, .refused(reason: error.detail)) }
  }

  // MARK: Connections

  /// Begins to connect, if it is not connected.
  ///
  /// - Throws: why none of the brokers accepts the connection.
  mutating func connect() throws(AMQPError) { try uplink.connect() }

  /// Closes the connection, on which nothing is unconfirmed.
  mutating func disconnect() {
    uplink.connection?.close()
    uplink.drop()
  }

  /// Gives the connection up after an error; what is unconfirmed is sent again over the next one.
  ///
  /// - Returns: whether another broker is to be tried at once: this one fails for now, and not all have failed yet.
  mutating func lose(_ error: AMQPError) -> Bool {
    let hasOther = uplink.moveOn(after: error)
    uplink.drop()
    for parcel in outbox.takeAll() { outbox.appendAnew(parcel) }
    (isHeldUp, retryAt) = (false, .now)
    return hasOther
  }

  // MARK: Retries

  /// Sends a message again when the broker may take it: after `basic.nack`, when nothing is in flight any more.
  mutating func sendLater(_ parcel: Parcel, after reply: BrokerReply, by limit: Deadline = .never) {
    outbox.appendAnew(parcel)
    if case .declined = reply { uplink.isDeclined = true }
    uplink.forget(parcel.need)
    scheduleRetry(by: limit)
  }

  /// Looks the message's queue up before its reply is reported: one that exists and cannot be reached is an error of
  /// the connection.
  ///
  /// - Returns: false when that was done, or there is no such queue.
  mutating func looksUpQueue(of parcel: Parcel, before reply: BrokerReply) -> Bool {
    let envelope = parcel.item.envelope
    guard parcel.reply == nil, envelope.exchange.isEmpty, !envelope.routingKey.isEmpty else { return false }
    var parcel = parcel
    parcel.reply = reply
    outbox.sendAgain(parcel)
    return true
  }

  /// Has what is unsent wait by back-off, until `limit` at most.
  @discardableResult mutating func scheduleRetry(by limit: Deadline = .never) -> Duration {
    uplink.forgetFailures()
    if retryAt.hasPassed { retryAt = min(.after(backoff.delay()), limit) }
    return retryAt.remaining ?? .zero
  }

  /// Takes out the messages that are not settled and for which `isWanted` holds.
  ///
  /// One that was sent may still get through. Without `inFlight`, only those are taken that are not sent.
  mutating func remove(inFlight: Bool = true, where isWanted: (Item) -> Bool) -> [Item] {
    outbox.remove(inFlight: inFlight, where: isWanted)
  }

  /// Takes out all that is not settled, and gives the connection up.
  mutating func shutDownNow() -> [Item] {
    uplink.drop()
    return outbox.takeAll().map(\.item)
  }
}
