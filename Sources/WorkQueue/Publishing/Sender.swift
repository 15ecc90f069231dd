internal import AMQP
internal import Glibc

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
  typealias Settled = (parcel: Parcel, reply: BrokerReply)

  /// More than this in flight gains nothing, and makes a report of what is unknown longer.
  private static var largestWindow: Int { 1000 }
  private static var mostBytes: Int { 8 << 20 }
  /// RabbitMQ 4 takes no larger ones unless told to.
  private static var largestSafeBody: Int { 16 << 20 }
  /// The kernel has megabytes of its own; more would only be memory.
  private static var mostUnsent: Int { 1 << 20 }
  private static var mostReturns: Int { 3 }

  private let options: SenderOptions
  private let report: (SenderEvent) -> Void
  private var uplink: Uplink
  private var outbox = Outbox<Item>()

  private var declarations = Declarations()
  /// When the broker must have answered the request; nil when none was sent.
  private var requestDeadline: Deadline?

  /// Whether what is to be sent next waits for an event.
  private var isHeldUp = false
  /// What was returned and is not confirmed, to be sent again.
  private var returned = Fifo<Envelope>()
  private var settled = Fifo<Settled>()
  /// Those that exist, as far as this connection knows.
  private var knownExchanges: Set<String> = []

  /// When what is unsent may be sent.
  private var retryAt = Deadline.now
  private var backoff = Backoff()
  /// Whether the broker has declined a message on the present connection and confirmed none since.
  private var isDeclined = false
  /// Why the broker blocks publishers, if it does.
  private var blockedReason: String?
  /// Whether messages were sent without confirms on the present connection: the broker may not have read them.
  private(set) var hasUnreadMessages = false

  init(_ options: SenderOptions, report: @escaping (SenderEvent) -> Void) {
    (self.options, self.report) = (options, report)
    uplink = Uplink(options.addresses, options.connection)
  }

  // MARK: How it stands

  /// How many messages are not sent, not settled, or not taken by `next()` since.
  var pending: Int { outbox.pending + settled.count }
  /// How many messages are sent and not settled.
  var unconfirmed: Int { outbox.unconfirmed }
  private var hasUnsent: Bool { outbox.hasUnsent || !returned.isEmpty }
  /// Whether nothing is to be sent or settled.
  var isIdle: Bool {
    mutating get {
      pending == 0 && returned.isEmpty && uplink.connection?.hasUnsent != true
    }
  }
  /// Whether another message would be sent at once.
  var hasRoom: Bool { mutating get { !hasUnsent && maySend } }
  /// Whether nothing may be sent now: the broker has declined a message, which is sent later and before others.
  var isPaused: Bool { hasUnsent && (!retryAt.hasPassed || isDeclined && outbox.unconfirmed > 0) }

  /// Whether the connection and the window take another message.
  private var maySend: Bool {
    mutating get {
      guard let unsentBytes = uplink.connection?.unsentBytes else { return false }
      return uplink.takesMessages && declarations.request == nil && !outbox.isSingle
        && outbox.windowCount < Self.largestWindow && outbox.windowBytes < Self.mostBytes
        && unsentBytes < Self.mostUnsent
    }
  }

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
        hasUnsent && !isHeldUp && (isDeclined ? outbox.unconfirmed == 0 : !isConnected || maySend)
      var deadline = mayFlush ? retryAt : .never
      if let interval = uplink.connection?.serviceInterval { deadline = min(deadline, .after(interval)) }
      return min(deadline, confirmDeadline, requestDeadline ?? .never)
    }
  }

  /// When the broker must have confirmed the oldest message in flight, or read what is sent.
  private var confirmDeadline: Deadline {
    mutating get {
      guard let openSince = uplink.openSince, !options.waitsWhileBlocked || blockedReason == nil else {
        return .never
      }
      let progress = uplink.connection?.lastProgress ?? openSince
      guard let oldest = outbox.oldest ?? (uplink.connection?.hasUnsent == true ? progress : nil) else {
        return .never
      }
      return max(oldest, progress, openSince) + options.confirmTimeout
    }
  }

  // MARK: Sending

  /// Adds a message; it is sent by `flush()`.
  mutating func add(_ item: Item) {
    outbox.append(outbox.parcel(item))
    isHeldUp = false
  }

  /// Sends a message, when there is room.
  ///
  /// - Throws: what ends the connection; the message is kept.
  mutating func send(_ item: Item) throws(AMQPError) {
    let (parcel, envelope) = (outbox.parcel(item), item.envelope)
    if item.route == .direct && !mustBeSingle(parcel, envelope) {
      return try put(parcel, envelope, isSingle: false)
    }
    outbox.append(parcel)
    try flush()
  }

  /// Sends what may be sent of what was added or must be sent again; begins to connect for that.
  ///
  /// - Throws: what ends the connection.
  mutating func flush() throws(AMQPError) {
    guard hasUnsent, !isPaused else { return }
    if isDeclined { disconnect() }
    try connect()
    while maySend, try flushFirst() {}
    isHeldUp = hasUnsent && maySend
  }

  /// Sends the first of what may be sent, or the request that it needs.
  ///
  /// - Returns: whether the next one may follow.
  private mutating func flushFirst() throws(AMQPError) -> Bool {
    if let envelope = returned.first {
      guard try declares(.queue(envelope.routingKey), isReturned: true) else { return false }
      _ = returned.popFirst()
      _ = try uplink.connection?.publish(
        envelope.message, exchange: envelope.exchange, routingKey: envelope.routingKey, confirms: false)
      return true
    }
    guard let parcel = outbox.first, !isPaused else { return false }
    do throws(AMQPError) {
      for target in targets(of: parcel) {
        guard try declares(target, isReturned: parcel.returns > 0) else { return false }
        guard declarations.outcome(of: target) != .missing else {
          let reason = "queue '\(parcel.item.queue)' does not exist"
          return settleFirst(parcel, parcel.reply ?? .missing(reason: reason))
        }
      }
    } catch  where error.kind == .tooLarge {
      // The name of the queue is.
      declarations.forgetRequest()
      return settleFirst(parcel, .refused(reason: error.detail))
    }
    if let reply = parcel.reply { return settleFirst(parcel, reply) }
    let envelope = envelope(of: parcel)
    let isSingle = mustBeSingle(parcel, envelope)
    guard !isSingle || outbox.windowCount == 0 else { return false }
    outbox.popFirst()
    try put(parcel, envelope, isSingle: isSingle)
    return true
  }

  private mutating func settleFirst(_ parcel: Parcel, _ reply: BrokerReply) -> Bool {
    outbox.popFirst()
    settled.append((parcel, reply))
    return true
  }

  private mutating func put(
    _ parcel: Parcel, _ envelope: Envelope, isSingle: Bool
  ) throws(AMQPError) {
    do throws(AMQPError) {
      let tag = try uplink.connection?.publish(
        envelope.message, exchange: envelope.exchange, routingKey: envelope.routingKey,
        confirms: options.confirms, leavesHeadroom: options.leavesHeadroom)
      guard let tag else { return outbox.sendAgain(parcel) }
      guard options.confirms || !isOpen else { return count(unread: parcel) }
      outbox.send(parcel, envelope, tag: tag, isSingle: isSingle)
    } catch  where error.kind == .tooLarge { settled.append((parcel, .refused(reason: error.detail))) } catch
    {
      outbox.sendAgain(parcel)
      throw error
    }
  }

  /// Without confirms, a message is settled when it is sent.
  private mutating func count(unread parcel: Parcel) {
    hasUnreadMessages = true
    settled.append((parcel, .confirmed))
  }

  /// Whether the broker may close the channel over it: what it has not confirmed by then it never confirms.
  private mutating func mustBeSingle(_ parcel: Parcel, _ envelope: Envelope) -> Bool {
    let user = envelope.message.properties.userID
    return parcel.isSingle || user != nil && user != uplink.connection?.address.username
      || envelope.message.body.count > Self.largestSafeBody
      || options.mixesExchanges && !envelope.exchange.isEmpty && !knownExchanges.contains(envelope.exchange)
  }

  // MARK: Queues

  /// What must be declared before the message is sent, or its reply is reported.
  private func targets(of parcel: Parcel) -> [Declarations.Target] {
    let queue = parcel.item.queue
    let work: Declarations.Target = options.missingQueue == .create ? .queue(queue) : .existing(queue)
    if parcel.reply != nil { return [.existing(queue)] }
    switch parcel.item.route {
    case .direct: return parcel.returns > 0 ? [work] : []
    case .failedQueue: return [.failedQueue(queue)]
    case .retry(let time): return [.waiting(.retry(of: queue, after: time))]
    case .delay(let time):
      let week = ISOWeek(secondsSince1970: Glibc.time(nil))
      let waiting = Declarations.Target.waiting(.delay(of: queue, by: time, in: week))
      return declarations.outcome(of: waiting) == nil ? [work, waiting] : [waiting]
    }
  }

  private func envelope(of parcel: Parcel) -> Envelope {
    var envelope = parcel.item.envelope
    if let target = targets(of: parcel).last, case .ready(let name) = declarations.outcome(of: target) {
      envelope.routingKey = name
    }
    return envelope
  }

  /// Whether it is known how a target stands; otherwise the request for it is sent, when nothing is in flight.
  private mutating func declares(_ target: Declarations.Target, isReturned: Bool) throws(AMQPError) -> Bool {
    if declarations.outcome(of: target) != nil { return true }
    guard outbox.windowCount == 0, isOpen else { return false }
    if isReturned, case .queue(let name) = target { report(.declaring(queue: name)) }
    declarations.begin(target, on: BrokerVersion(broker: uplink.connection?.broker ?? ""))
    try sendRequest()
    return false
  }

  private mutating func sendRequest() throws(AMQPError) {
    guard let request = declarations.request, isOpen else { return }
    requestDeadline = .after(options.connection.rpcTimeout)
    try uplink.connection?.sendDeclare(request.queue, isPassive: request.isPassive)
  }

  /// The broker has answered the request; sends the next, if it takes another.
  private mutating func answered(_ error: AMQPError?) throws(AMQPError) {
    guard let request = declarations.request else { return }
    requestDeadline = nil
    let report = report
    try declarations.answered(
      error.map { AMQPError($0.kind, request.operation, $0.detail) }, after: outbox.sent
    ) {
      report(.waitingQueue($0))
    }
    guard let next = declarations.request else { return }
    if next.needsConnection { try reconnect() } else { try sendRequest() }
  }

  /// Waits for what the broker says of a queue, when nothing is to be sent; nil when there is none.
  ///
  /// - Throws: `interrupted` by the first signal, and what ends the connection.
  mutating func status(ofQueue name: String) throws(AMQPError) -> Queue.Status? {
    try connect()
    while !isOpen {
      _ = try next()
      if !isOpen { try wait() }
    }
    let request = Declarations.Request(queue: Queue(name: name), isPassive: true)
    let deadline = Deadline.after(options.connection.rpcTimeout)
    try uplink.connection?.sendDeclare(request.queue, isPassive: true)
    while true {
      switch try uplink.connection?.nextEvent(within: .zero) {
      case .declared(let status): return status
      case .channelClosed(let error) where error.kind == .notFound: return nil
      case .channelClosed(let error): throw AMQPError(error.kind, request.operation, error.detail)
      case nil:
        guard !deadline.hasPassed else {
          throw AMQPError(.timedOut, request.operation, "no answer in time")
        }
        try wait(until: deadline)
      default: break
      }
    }
  }

  /// Waits until there is something to do.
  ///
  /// - Throws: `interrupted`.
  mutating func wait(until deadline: Deadline = .never) throws(AMQPError) {
    let socket = descriptor ?? -1
    EventLoop.wait(
      for: [socket, Interruption.attempt], writable: waitsForWriting ? socket : -1, until: nextDeadline)
    if Signals.stop != nil { throw AMQPError(.interrupted, options.operation, "a signal arrived") }
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
  mutating func next() throws(AMQPError) -> Settled? {
    while true {
      if let next = settled.popFirst() { return next }
      do throws(AMQPError) {
        let event = try uplink.connection?.nextEvent(within: .zero)
        if uplink.noteOpen() { try opened() }
        guard let event else { break }
        try handle(event)
      } catch { try failed(error) }
    }
    if let next = settled.popFirst() { return next }
    if requestDeadline?.hasPassed == true, let request = declarations.request {
      throw AMQPError(.timedOut, request.operation, "no answer in time")
    }
    guard confirmDeadline.hasPassed else { return nil }
    let reason = blockedReason.map { "the broker blocks publishers: \($0)" }
    throw AMQPError(.timedOut, options.operation, reason ?? "the broker has not confirmed the task in time")
  }

  private mutating func handle(_ event: Event) throws(AMQPError) {
    isHeldUp = false
    switch event {
    case .confirmed(let tag, let multiple, let accepted):
      for (entry, reply) in outbox.confirmed(tag: tag, multiple: multiple, accepted: accepted) {
        if options.mixesExchanges { knownExchanges.insert(entry.envelope.exchange) }
        settle(entry.ticket, reply)
      }
    case .returned(let message) where options.confirms: outbox.returned(message)
    case .returned(let message): try returned(message)
    case .declared: try answered(nil)
    case .channelClosed(let error) where requestDeadline != nil: try answered(error)
    case .channelClosed(let error): try channelClosed(error)
    case .blocked(let reason):
      blockedReason = reason
      report(.blocked(reason: reason, timeout: options.confirmTimeout))
    case .unblocked:
      blockedReason = nil
      report(.unblocked)
    case .delivered, .got, .cancelled, .consuming: break
    }
  }

  private mutating func settle(_ ticket: Int, _ reply: BrokerReply) {
    guard var parcel = outbox.take(ticket) else { return }
    switch reply {
    case .unroutable where mayCreateQueue(of: parcel):
      parcel.returns += 1
      forgetQueue(of: parcel, ticket)
      return outbox.sendAgain(parcel)
    case .confirmed, .refused:
      isDeclined = false
      uplink.forgetFailures()
      backoff.reset()
    case .unroutable, .declined, .missing: break
    }
    settled.append((parcel, reply))
  }

  private func mayCreateQueue(of parcel: Parcel) -> Bool {
    let envelope = parcel.item.envelope
    // Of an empty name the broker would make a queue of any name.
    return envelope.exchange.isEmpty && !envelope.routingKey.isEmpty && parcel.returns < Self.mostReturns
      && (parcel.item.route != .direct || options.missingQueue != .report)
  }

  /// A message was returned for want of its queue: unless that was created after the message was sent, it is again.
  private mutating func forgetQueue(of parcel: Parcel, _ ticket: Int) {
    for target in targets(of: parcel) where declarations.isMissing(target, at: ticket) {
      declarations.forget(target)
    }
  }

  /// A message that was sent without confirms was returned.
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

  /// The channel was closed over one of those in flight: finds out which.
  private mutating func channelClosed(_ error: AMQPError) throws(AMQPError) {
    let isOfOne =
      switch error.kind {
      case .preconditionFailed, .tooLarge: true
      case .notFound: options.mixesExchanges
      default: false
      }
    guard isOfOne, outbox.windowCount > 0 else { throw error }
    if outbox.windowCount == 1 {
      for ticket in outbox.emptyWindow() { settle(ticket, .refused(reason: error.detail)) }
    } else {
      outbox.takeBack(areSingle: true)
    }
  }

  // MARK: Connections

  /// Begins to connect, if it is not connected.
  ///
  /// - Throws: why none of the brokers accepts the connection.
  mutating func connect() throws(AMQPError) {
    guard !isConnected else { return }
    declarations.forgetAll()
    try reconnect()
  }

  private mutating func reconnect() throws(AMQPError) {
    isHeldUp = false
    requestDeadline = nil
    (isDeclined, hasUnreadMessages, blockedReason, knownExchanges) = (false, false, nil, [])
    try uplink.connect()
  }

  private mutating func opened() throws(AMQPError) {
    isHeldUp = false
    if !options.confirms {
      for ticket in outbox.emptyWindow() {
        if let parcel = outbox.take(ticket) { count(unread: parcel) }
      }
    }
    try sendRequest()
  }

  /// The connection failed: during the log-in, the next attempt is made; the broker refuses some requests like that.
  ///
  /// - Throws: the error, when there is nothing else to be tried.
  private mutating func failed(_ error: AMQPError) throws(AMQPError) {
    guard error.kind != .interrupted, isConnected else { throw error }
    guard !isOpen else {
      guard requestDeadline != nil else { throw error }
      return try answered(error)
    }
    outbox.takeBack(areSingle: false)
    try uplink.tryNext(after: error)
  }

  /// Closes the connection, on which nothing is unconfirmed.
  mutating func disconnect() { uplink.close() }

  /// Gives the connection up after an error; what is unconfirmed is sent again over the next one.
  ///
  /// - Returns: whether another broker is to be tried at once: this one fails for now, and not all have failed yet.
  mutating func lose(_ error: AMQPError) -> Bool {
    let hasOther = uplink.moveOn(after: error)
    drop()
    for parcel in outbox.takeAll() { outbox.appendAnew(parcel) }
    retryAt = .now
    return hasOther
  }

  private mutating func drop() {
    uplink.drop()
    (requestDeadline, blockedReason, returned) = (nil, nil, Fifo())
    declarations.forgetAll()
  }

  // MARK: Retries

  /// Sends a message again when the broker may take it: after `basic.nack`, when nothing is in flight any more.
  mutating func sendLater(_ parcel: Parcel, after reply: BrokerReply, by limit: Deadline = .never) {
    outbox.appendAnew(parcel)
    if case .declined = reply { isDeclined = true }
    for target in targets(of: parcel) { declarations.forget(target) }
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
    drop()
    return outbox.takeAll().map(\.item)
  }
}
