internal import AMQP

/// The envelopes that are in flight, and what the broker's confirms and returns mean for them.
///
/// A return carries no tag, and arrives before its envelope's confirm. Equal envelopes are interchangeable: a return
/// is matched with the first of them that is acked, because a broker never nacks what it has returned. So returns are
/// counted per kind of equal envelopes, once the first return has arrived.
struct ConfirmWindow {
  /// An envelope in flight; a class, because it is passed on many times.
  final class Entry {
    /// The sender's number for it.
    let ticket: Int
    let envelope: Envelope
    let size: Int
    let sent: Deadline
    fileprivate private(set) lazy var kind = Kind(
      exchange: envelope.exchange, routingKey: envelope.routingKey, message: envelope.message)

    fileprivate init(_ envelope: Envelope, ticket: Int) {
      (self.envelope, self.ticket) = (envelope, ticket)
      size = envelope.size
      sent = .now
    }
  }

  /// Equal for envelopes that are equal in everything.
  fileprivate struct Kind: Hashable {
    private let hash: Int

    init(exchange: String, routingKey: String, message: Message) {
      var hasher = Hasher()
      hasher.combine(exchange)
      hasher.combine(routingKey)
      hasher.combine(message)
      hash = hasher.finalize()
    }
  }

  /// The state of the envelopes of one kind in flight.
  private struct Returns {
    var inFlight = 0
    /// The reasons of the returns whose confirms have not arrived.
    var reasons: [String] = []

    var mayReturn: Bool { reasons.count < inFlight }
  }

  private var entries = TagWindow<Entry>()
  /// All envelopes in flight, by kind; nil while there are no returns.
  private var returns: [Kind: Returns]?
  /// Number of returned envelopes that are unconfirmed.
  private var returnedCount = 0
  /// Number of envelopes sent since a return was last unconfirmed.
  private var sentSinceReturn = 0
  private(set) var bytes = 0

  var count: Int { entries.count }
  var isEmpty: Bool { entries.isEmpty }
  /// Number of envelopes that memory is reserved for.
  var slots: Int { entries.slotCount }

  /// When the oldest unconfirmed envelope was sent.
  var oldest: Deadline? { entries.first?.element.sent }

  mutating func sent(_ envelope: Envelope, ticket: Int, tag: UInt64) {
    let entry = Entry(envelope, ticket: ticket)
    entries.append(entry, tag: tag)
    bytes += entry.size
    guard returns != nil else { return }
    sentSinceReturn = returnedCount > 0 ? 0 : sentSinceReturn + 1
    if sentSinceReturn > 1000 + count {
      returns = nil
    } else {
      returns?[entry.kind, default: Returns()].inFlight += 1
    }
  }

  /// A mandatory message was returned.
  mutating func returned(_ message: ReturnedMessage) {
    if returns == nil { countKinds() }
    sentSinceReturn = 0
    var kind = Kind(exchange: message.exchange, routingKey: message.routingKey, message: message.message)
    if returns?[kind]?.mayReturn != true {
      // The broker changed something in the message: match it by its id.
      let id = message.message.properties.messageID
      let found = entries.elements.first {
        $0.envelope.message.properties.messageID == id && returns?[$0.kind]?.mayReturn == true
      }
      guard let found else { return }
      kind = found.kind
    }
    returns?[kind]?.reasons.append(message.reason)
    returnedCount += 1
  }

  private mutating func countKinds() {
    var kinds: [Kind: Returns] = [:]
    for entry in entries.elements { kinds[entry.kind, default: Returns()].inFlight += 1 }
    returns = kinds
  }

  /// A confirm arrived.
  ///
  /// - Returns: the envelopes that it settles, in the order of publishing.
  mutating func confirmed(
    tag: UInt64, multiple: Bool, accepted: Bool
  ) -> [(entry: Entry, reply: BrokerReply)] {
    guard multiple else {
      guard let entry = entries.remove(tag) else { return [] }
      return [(entry, reply(to: entry, accepted: accepted))]
    }
    var settled: [(Entry, BrokerReply)] = []
    while let entry = entries.popFirst(upTo: tag) {
      settled.append((entry, reply(to: entry, accepted: accepted)))
    }
    return settled
  }

  private mutating func reply(to entry: Entry, accepted: Bool) -> BrokerReply {
    bytes -= entry.size
    let reason = returns == nil ? nil : takeReturn(of: entry.kind, accepted: accepted)
    guard accepted else { return .declined(reason: "the queue is full, or cannot take it now") }
    return reason.map { .unroutable(reason: $0) } ?? .confirmed
  }

  /// Removes an envelope from the counts.
  ///
  /// - Returns: why it was returned, if it was; only for an ack.
  private mutating func takeReturn(of kind: Kind, accepted: Bool) -> String? {
    guard var equal = returns?.removeValue(forKey: kind) else { return nil }
    equal.inFlight -= 1
    var reason: String?
    if !equal.reasons.isEmpty, accepted || equal.reasons.count > equal.inFlight {
      reason = equal.reasons.removeLast()
      returnedCount -= 1
    }
    if equal.inFlight > 0 { returns?[kind] = equal }
    return accepted ? reason : nil
  }

  /// Takes all unconfirmed envelopes out of the window, in order: their result on this channel is unknown.
  mutating func removeAll() -> [Entry] {
    defer { self = ConfirmWindow() }
    return entries.removeAll()
  }
}
