internal import AMQP

/// The messages of a `Sender` without a result: those to be sent, in order, and those in flight.
struct Outbox<Item: Outgoing> {
  /// An item and its state.
  struct Parcel {
    let item: Item
    /// In the order of adding.
    fileprivate let number: Int
    /// How many times it was returned because its queue was missing.
    var returns = 0
    /// Whether it is sent only while nothing else is in flight, because the broker may close the channel over it.
    fileprivate(set) var isSingle = false
    /// The broker's reply, while its queue is looked up before the reply is reported.
    var reply: BrokerReply?

    fileprivate init(_ item: Item, _ number: Int) { (self.item, self.number) = (item, number) }
  }

  private var added = 0
  /// Number of messages put into the window so far: the ticket of the last one.
  private(set) var sent = 0
  private var window = ConfirmWindow()
  /// The parcels in the window, by ticket.
  private var inFlight: [Int: Parcel] = [:]
  /// Whether a message is in flight that must be alone.
  private(set) var isSingle = false
  /// To be sent before `unsent`.
  private var again = Fifo<Parcel>()
  private var unsent = Fifo<Parcel>()

  /// Number of messages without a result.
  var pending: Int { again.count + unsent.count + inFlight.count }
  /// Number of messages in flight.
  var unconfirmed: Int { inFlight.count }
  var hasUnsent: Bool { !again.isEmpty || !unsent.isEmpty }
  /// The window: number of messages, their bytes, and when the oldest was sent.
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

  /// The same for one that was tried before, of which only the order is kept.
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

  /// - Returns: the entries with the broker's replies; `take(_:)` takes their tickets.
  mutating func confirmed(
    tag: UInt64, multiple: Bool, accepted: Bool
  ) -> [(ConfirmWindow.Entry, BrokerReply)] {
    let replies = window.confirmed(tag: tag, multiple: multiple, accepted: accepted)
    if window.isEmpty { isSingle = false }
    return replies
  }

  /// Takes out the parcel with this ticket; nil when it was removed.
  mutating func take(_ ticket: Int) -> Parcel? { inFlight.removeValue(forKey: ticket) }

  /// Empties the window.
  ///
  /// - Returns: the tickets that were in it.
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
    // Parcels that already wait were added after these.
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

  /// Takes out all messages, in the order of adding.
  mutating func takeAll() -> [Parcel] {
    _ = emptyWindow()
    var parcels = Array(inFlight.values)
    inFlight = [:]
    while let parcel = again.popFirst() ?? unsent.popFirst() { parcels.append(parcel) }
    return parcels.sorted { $0.number < $1.number }
  }
}
