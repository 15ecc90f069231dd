internal import AMQP

/// The envelopes that are in flight, and what the broker's confirms and returns mean for them.
///
/// A return carries no tag and comes before its envelope's confirm. Envelopes that are equal in everything are as
/// good as one another: what was returned of them is what is accepted of them first, because a broker never refuses
/// what it has returned. So returns are counted for each kind of equal envelopes, once the first has come.
struct ConfirmWindow {
  /// One of them; an object, because it is passed on many times.
  final class Entry {
    /// The number that its sender knows it by.
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

  /// What the envelopes of one kind that are in flight have in common.
  private struct Returns {
    var inFlight = 0
    /// The reasons of the returns whose confirms have not come.
    var reasons: [String] = []

    var mayReturn: Bool { reasons.count < inFlight }
  }

  private var entries = TagWindow<Entry>()
  /// By their kinds, all envelopes in flight; nil while there are no returns.
  private var returns: [Kind: Returns]?
  /// How many returned ones are not confirmed.
  private var returnedCount = 0
  /// How many envelopes were sent since a return was last unconfirmed.
  private var sentSinceReturn = 0
  private(set) var bytes = 0

  var count: Int { entries.count }
  var isEmpty: Bool { entries.isEmpty }
  /// For how many envelopes there is memory.
  var slots: Int { entries.slotCount }

  /// When the one that waits longest was sent.
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
      // A broker that changed something in it on the way: the id has to do.
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

  /// A confirm came.
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

  /// Counts an envelope out.
  ///
  /// - Returns: why it was returned, if it was; only when it is accepted.
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

  /// Takes all that is not settled out of the window, in order: what became of it on this channel is unknown.
  mutating func removeAll() -> [Entry] {
    defer { self = ConfirmWindow() }
    return entries.removeAll()
  }
}
