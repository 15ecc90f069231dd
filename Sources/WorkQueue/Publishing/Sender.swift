internal import AMQP

/// Publishes messages and reports the broker's reply to each; `publish`, the worker's copies and `move` use it.
///
/// 1. It never blocks, except in calls whose name or comment says so. It connects to the first broker that accepts the
///    connection. The log-in is pipelined with the first messages; if that fails, everything is repeated step by step.
/// 2. Every message is mandatory and confirmed. Missing queues are created. An existing queue is used as it is,
///    whatever its properties, and needs no request. A request is sent only while nothing is in flight: if the broker
///    refuses it, it closes the channel, and then confirms nothing that was published on it.
/// 3. After a lost connection it sends all unconfirmed messages again, in the order of adding. If the broker closes
///    the channel because of one of several messages, they are sent again singly, to find out which.
/// 4. A message that the broker declines is sent again over a new connection, when nothing is in flight: RabbitMQ 3.10
///    declines everything on a channel whose first message met a quorum queue without a leader, even after a leader is
///    elected.
/// 5. The owner decides how long to retry: after an error, it calls `lose(_:)` and `scheduleRetry(by:)`.
struct Sender<Item: Outgoing>: ~Copyable {
  typealias Parcel = Outbox<Item>.Parcel
  typealias Settled = Outbox<Item>.Settled

  private static var mostReturns: Int { 3 }

  private let options: SenderOptions
  private var uplink: Uplink
  private var outbox = Outbox<Item>()
  /// Whether the next message can be sent only after an event.
  private var isHeldUp = false
  /// When unsent messages may be sent, at the earliest.
  private var retryAt = Deadline.now
  private var backoff = Backoff()

  init(_ options: SenderOptions, report: @escaping (SenderEvent) -> Void) {
    self.options = options
    uplink = Uplink(options, report: report)
  }

  // MARK: State

  /// Number of messages that are unsent, unsettled, or settled and not yet returned by `next()`.
  var pending: Int { outbox.pending }
  /// Number of messages that are sent and unsettled.
  var unconfirmed: Int { outbox.unconfirmed }
  /// Whether messages were sent without confirms on this connection: the broker may not have read them.
  var hasUnreadMessages: Bool { uplink.hasUnreadMessages }
  private var hasUnsent: Bool { outbox.hasUnsent || uplink.hasReturned }
  /// Whether nothing is left to send or to settle.
  var isIdle: Bool {
    mutating get { pending == 0 && !uplink.hasReturned && uplink.connection?.hasUnsent != true }
  }
  /// Whether another message would be sent immediately.
  var hasRoom: Bool { mutating get { !hasUnsent && maySend } }
  /// Whether sending is paused: the broker has declined a message, which is sent later, and before all others.
  var isPaused: Bool { hasUnsent && (!retryAt.hasPassed || uplink.isDeclined && outbox.unconfirmed > 0) }
  /// Whether the connection and the window accept another message.
  private var maySend: Bool { mutating get { outbox.hasRoom && uplink.takesMessages } }

  var isConnected: Bool { uplink.isConnected }
  /// Whether the log-in is complete.
  var isOpen: Bool { uplink.isOpen }
  var address: Address? { mutating get { uplink.connection?.address } }
  /// The broker's product and version; empty until the broker has sent them.
  var broker: String { mutating get { uplink.connection?.broker ?? "" } }

  // MARK: Waiting

  var descriptor: Int32? { mutating get { uplink.connection?.descriptor } }
  var waitsForWriting: Bool { mutating get { uplink.connection?.waitsForWriting == true } }

  /// When to act if no event arrives before.
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

  /// Sends a message when there is room.
  ///
  /// - Throws: the error that ends the connection; the message is kept.
  mutating func send(_ item: Item) throws(AMQPError) {
    if try !outbox.sendDirectly(item, on: &uplink) { try flush() }
  }

  /// Sends added messages, and messages to be sent again, as far as allowed; starts to connect if necessary.
  ///
  /// - Throws: the error that ends the connection.
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

  /// Looks up a queue when nothing is to be sent, and waits for the reply; nil when there is no such queue.
  ///
  /// - Throws: `interrupted` at the first signal; the error that ends the connection.
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

  /// Waits until the broker has read the messages that were sent without confirms.
  ///
  /// - Returns: false before the log-in is complete, and when returned messages must be sent again.
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

  // MARK: Replies

  /// The next message whose result is known.
  ///
  /// - Throws: the error that ends the connection; `timedOut` when the broker has not confirmed a message in time.
  @inline(never)  // otherwise each owner's loop would contain a copy
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
    // For an empty name, the broker would create a queue with a generated name.
    return envelope.exchange.isEmpty && !envelope.routingKey.isEmpty && parcel.returns < Self.mostReturns
      && (parcel.item.route != .direct || options.missingQueue != .report)
  }

  /// Handles a channel closed because of one message in flight: finds out which one.
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

  /// Starts to connect, unless it is connected.
  ///
  /// - Throws: why no broker accepts the connection.
  mutating func connect() throws(AMQPError) { try uplink.connect() }

  /// Closes the connection; nothing may be unconfirmed on it.
  mutating func disconnect() {
    uplink.connection?.close()
    uplink.drop()
  }

  /// Drops the connection after an error; unconfirmed messages are sent again over the next one.
  ///
  /// - Returns: whether another broker should be tried immediately: this one fails for now, and not all have failed
  ///   yet.
  mutating func lose(_ error: AMQPError) -> Bool {
    let hasOther = uplink.moveOn(after: error)
    uplink.drop()
    for parcel in outbox.takeAll() { outbox.appendAnew(parcel) }
    (isHeldUp, retryAt) = (false, .now)
    return hasOther
  }

  // MARK: Retries

  /// Sends a message again when the broker may accept it: after `basic.nack`, only when nothing is in flight.
  mutating func sendLater(_ parcel: Parcel, after reply: BrokerReply, by limit: Deadline = .never) {
    outbox.appendAnew(parcel)
    if case .declined = reply { uplink.isDeclined = true }
    uplink.forget(parcel.need)
    scheduleRetry(by: limit)
  }

  /// Looks up the message's queue before its reply is reported: if it exists and is unreachable, that is an error of
  /// the connection.
  ///
  /// - Returns: false when that was done before, or the message is not published to a queue by name.
  mutating func looksUpQueue(of parcel: Parcel, before reply: BrokerReply) -> Bool {
    let envelope = parcel.item.envelope
    guard parcel.reply == nil, envelope.exchange.isEmpty, !envelope.routingKey.isEmpty else { return false }
    var parcel = parcel
    parcel.reply = reply
    outbox.sendAgain(parcel)
    return true
  }

  /// Delays unsent messages by back-off, until `limit` at most.
  @discardableResult mutating func scheduleRetry(by limit: Deadline = .never) -> Duration {
    uplink.forgetFailures()
    if retryAt.hasPassed { retryAt = min(.after(backoff.delay()), limit) }
    return retryAt.remaining ?? .zero
  }

  /// Removes the unsettled messages for which `isWanted` holds.
  ///
  /// A message that was sent may still be published. Without `inFlight`, only unsent messages are removed.
  mutating func remove(inFlight: Bool = true, where isWanted: (Item) -> Bool) -> [Item] {
    outbox.remove(inFlight: inFlight, where: isWanted)
  }

  /// Removes all unsettled messages, and drops the connection.
  mutating func shutDownNow() -> [Item] {
    uplink.drop()
    return outbox.takeAll().map(\.item)
  }
}
