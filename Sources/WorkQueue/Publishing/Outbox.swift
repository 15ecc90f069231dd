internal import AMQP

/// The messages of a `Sender` that are not settled: those to be sent, in their order, and those in flight.
struct Outbox<Item: Outgoing> {
  /// An item, and how it stands.
  struct Parcel {
    let item: Item
    /// In the order of adding.
    fileprivate let number: Int
    /// How often it was returned for want of a queue.
    var returns = 0
    /// Whether it is sent when nothing is in flight: the broker may close the channel over it.
    fileprivate(set) var isSingle = false
    /// The broker's reply, where its queue is looked up before that is reported.
    var reply: BrokerReply?

    fileprivate init(_ item: Item, _ number: Int) { (self.item, self.number) = (item, number) }
  }

  private var added = 0
  /// How many messages were put into the window: the ticket of the last one.
  private(set) var sent = 0
  private var window = ConfirmWindow()
  /// What is in the window, by its tickets.
  private var inFlight: [Int: Parcel] = [:]
  /// Whether a message is in flight beside which no other may be.
  private(set) var isSingle = false
  /// To be sent before what is unsent.
  private var again = Fifo<Parcel>()
  private var unsent = Fifo<Parcel>()

  /// How many messages are not sent, or not settled.
  var pending: Int { again.count + unsent.count + inFlight.count }
  /// How many messages are sent and not settled.
  var unconfirmed: Int { inFlight.count }
  var hasUnsent: Bool { !again.isEmpty || !unsent.isEmpty }
  /// What is in the window: how many messages, in bytes, and since when it has the oldest.
  var windowCount: Int { window.count }
  var windowBytes: Int { window.bytes }
  var oldest: Deadline? { window.oldest }

  // MARK: To be sent

  /// An item as the next parcel, which is in none of the queues.
  mutating func parcel(_ item: Item) -> Parcel {
    added += 1
    return Parcel(item, added)
  }

  /// Puts a parcel behind all others.
  mutating func append(_ parcel: Parcel) { unsent.append(parcel) }

  /// The same for one that was tried before, of which nothing but its order is kept.
  mutating func appendAnew(_ parcel: Parcel) { unsent.append(Parcel(parcel.item, parcel.number)) }

  /// Puts a parcel behind those that are sent again.
  mutating func sendAgain(_ parcel: Parcel) { again.append(parcel) }

  var first: Parcel? { again.first ?? unsent.first }

  mutating func popFirst() { _ = again.isEmpty ? unsent.popFirst() : again.popFirst() }

  // MARK: In flight

  mutating func send(_ parcel: Parcel, _ envelope: Envelope, tag: UInt64, isSingle: Bool) {
    sent += 1
    window.sent(envelope, ticket: sent, tag: tag)
    inFlight[sent] = parcel
    self.isSingle = isSingle
  }

  mutating func returned(_ message: ReturnedMessage) { window.returned(message) }

  /// - Returns: what the broker has replied to, for `take(_:)`.
  mutating func confirmed(
    tag: UInt64, multiple: Bool, accepted: Bool
  ) -> [(ConfirmWindow.Entry, BrokerReply)] {
    let replies = window.confirmed(tag: tag, multiple: multiple, accepted: accepted)
    if window.isEmpty { isSingle = false }
    return replies
  }

  /// Takes out what had this ticket; nil when it was removed.
  mutating func take(_ ticket: Int) -> Parcel? { inFlight.removeValue(forKey: ticket) }

  /// Empties the window.
  ///
  /// - Returns: the tickets of what was in it.
  mutating func emptyWindow() -> [Int] {
    isSingle = false
    return window.removeAll().map(\.ticket)
  }

  /// Takes back what is in flight, to be sent again.
  mutating func takeBack(areSingle: Bool) {
    var parcels: [Parcel] = []
    for ticket in emptyWindow() {
      guard var parcel = take(ticket) else { continue }
      parcel.isSingle = parcel.isSingle || areSingle
      parcels.append(parcel)
    }
    // What already waits came after these.
    again.prepend(parcels)
  }

  // MARK: All of it

  /// Takes out the messages for which `isWanted` holds; those in flight only if `inFlight`.
  mutating func remove(inFlight isFlightIncluded: Bool, where isWanted: (Item) -> Bool) -> [Item] {
    var removed = again.remove { isWanted($0.item) } + unsent.remove { isWanted($0.item) }
    if isFlightIncluded {
      for (ticket, parcel) in inFlight where isWanted(parcel.item) {
        removed.append(parcel)
        inFlight[ticket] = nil
      }
    }
    return removed.sorted { $0.number < $1.number }.map(\.item)
  }

  /// Takes out all of it, in the order of adding.
  mutating func takeAll() -> [Parcel] {
    _ = emptyWindow()
    var parcels = Array(inFlight.values)
    inFlight = [:]
    while let parcel = again.popFirst() ?? unsent.popFirst() { parcels.append(parcel) }
    return parcels.sorted { $0.number < $1.number }
  }
}
