internal import AMQP

/// The messages of a `Sender`: unsent in their order, in flight, and settled.
struct Outbox<Item: Outgoing> {
  typealias Settled = (parcel: Parcel, reply: BrokerReply)

  /// A larger window gains nothing, and makes a report of unknown results longer.
  private static var largestWindow: Int { 1000 }
  private static var mostBytes: Int { 8 << 20 }

  /// An item and its state.
  struct Parcel {
    let item: Item
    /// The place in the order of adding.
    fileprivate let number: Int
    /// Number of times it was returned because its queue was missing.
    var returns = 0
    /// Whether it is sent only while nothing else is in flight: the broker may close the channel because of it.
    fileprivate(set) var isSingle = false
    /// The broker's reply, while its queue is looked up before the reply is reported.
    var reply: BrokerReply?

    var need: Declarations.Need {
      Declarations.Need(
        queue: item.queue, route: item.route, isReturned: returns > 0, isReplied: reply != nil)
    }

    fileprivate init(_ item: Item, _ number: Int) { (self.item, self.number) = (item, number) }
  }

  private var added = 0
  /// Number of messages put into the window so far: the ticket of the last one.
  private(set) var sent = 0
  private var window = ConfirmWindow()
  /// The parcels in the window, by ticket.
  private var inFlight: [Int: Parcel] = [:]
  /// Whether the message in flight must be the only one.
  private var isSingle = false
  /// Parcels to be sent before `unsent`.
  private var retryQueue = Fifo<Parcel>()
  private var unsent = Fifo<Parcel>()

  private var settled = Fifo<Settled>()

  /// Number of messages that are unsent, unsettled, or settled and not yet returned by `popSettled()`.
  var pending: Int { retryQueue.count + unsent.count + inFlight.count + settled.count }
  /// Number of messages that are sent and unsettled.
  var unconfirmed: Int { inFlight.count }
  var hasUnsent: Bool { !retryQueue.isEmpty || !unsent.isEmpty }
  /// Whether the window of the present channel is empty, and whether it has room.
  var isWindowEmpty: Bool { window.isEmpty }
  var hasRoom: Bool { !isSingle && window.count < Self.largestWindow && window.bytes < Self.mostBytes }
  /// When the oldest message in flight was sent.
  var oldest: Deadline? { window.oldest }

  // MARK: Unsent

  private mutating func parcel(_ item: Item) -> Parcel {
    added += 1
    return Parcel(item, added)
  }

  /// Adds an item behind all others.
  mutating func append(_ item: Item) { unsent.append(parcel(item)) }

  /// Adds a parcel that was tried before behind all others; only its place in the order is kept.
  mutating func appendAnew(_ parcel: Parcel) { unsent.append(Parcel(parcel.item, parcel.number)) }

  /// Adds a parcel behind those that are sent again.
  mutating func sendAgain(_ parcel: Parcel) { retryQueue.append(parcel) }

  /// Sends the first parcel that may be sent, or the request that it needs.
  ///
  /// - Returns: whether the next one may follow.
  mutating func sendFirst(on uplink: inout Uplink) throws(AMQPError) -> Bool {
    guard let parcel = retryQueue.first ?? unsent.first else { return false }
    var (envelope, reply) = (parcel.item.envelope, parcel.reply)
    do throws(AMQPError) {
      switch try uplink.outcome(of: parcel.need, isBusy: !isWindowEmpty) {
      case nil: return false
      case .missing: reply = reply ?? .missing(reason: "queue '\(parcel.item.queue)' does not exist")
      case .ready(let name): envelope.routingKey = name
      }
    } catch  where error.kind == .tooLarge { reply = .refused(reason: error.detail) }  // the queue's name
    let isSingle = reply == nil && mustBeSingle(parcel, envelope, on: &uplink)
    guard !isSingle || isWindowEmpty else { return false }
    _ = retryQueue.isEmpty ? unsent.popFirst() : retryQueue.popFirst()
    if let reply { settle(parcel, reply) } else { try send(parcel, envelope, isSingle, on: &uplink) }
    return true
  }

  /// Sends an item immediately, if it needs neither a request nor an empty window.
  ///
  /// - Returns: whether it was sent; otherwise it is added behind all others.
  mutating func sendDirectly(_ item: Item, on uplink: inout Uplink) throws(AMQPError) -> Bool {
    let (parcel, envelope) = (parcel(item), item.envelope)
    guard item.route == .direct && !mustBeSingle(parcel, envelope, on: &uplink) else {
      unsent.append(parcel)
      return false
    }
    try send(parcel, envelope, false, on: &uplink)
    return true
  }

  private func mustBeSingle(_ parcel: Parcel, _ envelope: Envelope, on uplink: inout Uplink) -> Bool {
    parcel.isSingle || uplink.mayRefuse(envelope)
  }

  private mutating func send(
    _ parcel: Parcel, _ envelope: Envelope, _ isSingle: Bool, on uplink: inout Uplink
  ) throws(AMQPError) {
    do throws(AMQPError) {
      guard let tag = try uplink.publish(envelope) else { return sendAgain(parcel) }
      if uplink.settlesAtOnce { return settle(parcel, .confirmed) }
      sent += 1
      window.sent(envelope, ticket: sent, tag: tag)
      inFlight[sent] = parcel
      self.isSingle = isSingle
    } catch  where error.kind == .tooLarge { settle(parcel, .refused(reason: error.detail)) } catch {
      sendAgain(parcel)
      throw error
    }
  }

  // MARK: In flight

  mutating func returned(_ message: ReturnedMessage) { window.returned(message) }

  /// - Returns: the entries with the broker's replies; `take(_:)` takes their tickets.
  mutating func confirmed(
    tag: UInt64, multiple: Bool, accepted: Bool
  ) -> [(ConfirmWindow.Entry, BrokerReply)] {
    let replies = window.confirmed(tag: tag, multiple: multiple, accepted: accepted)
    if window.isEmpty { isSingle = false }
    return replies
  }

  /// Removes the parcel with this ticket; nil when it was removed before.
  mutating func take(_ ticket: Int) -> Parcel? { inFlight.removeValue(forKey: ticket) }

  /// Empties the window.
  ///
  /// - Returns: the tickets of its messages.
  private mutating func emptyWindow() -> [Int] {
    isSingle = false
    return window.removeAll().map(\.ticket)
  }

  /// Handles a channel closed because of one message in flight: if there are several, they are sent again singly.
  ///
  /// - Returns: the ticket, if there is only one.
  mutating func findRefused() -> [Int] {
    if window.count == 1 { return emptyWindow() }
    takeBack(areSingle: true)
    return []
  }

  /// Moves the messages in flight back to those that are sent again.
  mutating func takeBack(areSingle: Bool) {
    var parcels: [Parcel] = []
    for ticket in emptyWindow() {
      guard var parcel = take(ticket) else { continue }
      parcel.isSingle = parcel.isSingle || areSingle
      parcels.append(parcel)
    }
    // Parcels that already wait were added after these.
    retryQueue.prepend(parcels)
  }

  // MARK: Settled

  mutating func settle(_ parcel: Parcel, _ reply: BrokerReply) { settled.append((parcel, reply)) }

  /// Counts all messages in flight as confirmed.
  ///
  /// - Returns: whether there were any.
  mutating func settleWindow() -> Bool {
    let parcels = emptyWindow().compactMap { take($0) }
    for parcel in parcels { settle(parcel, .confirmed) }
    return !parcels.isEmpty
  }

  mutating func popSettled() -> Settled? { settled.popFirst() }

  // MARK: All messages

  /// Removes the messages for which `isWanted` holds; those in flight only with `inFlight`.
  mutating func remove(inFlight isFlightIncluded: Bool, where isWanted: (Item) -> Bool) -> [Item] {
    var removed = retryQueue.remove { isWanted($0.item) } + unsent.remove { isWanted($0.item) }
    if isFlightIncluded {
      for (ticket, parcel) in inFlight where isWanted(parcel.item) {
        removed.append(parcel)
        inFlight[ticket] = nil
      }
    }
    return removed.sorted { $0.number < $1.number }.map(\.item)
  }

  /// Removes all unsettled messages, in the order of adding.
  mutating func takeAll() -> [Parcel] {
    _ = emptyWindow()
    var parcels = Array(inFlight.values)
    inFlight = [:]
    while let parcel = retryQueue.popFirst() ?? unsent.popFirst() { parcels.append(parcel) }
    return parcels.sorted { $0.number < $1.number }
  }
}
