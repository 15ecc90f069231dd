internal import AMQP

/// Consumers that the broker has cancelled because of a time limit; it keeps them until their other deliveries are
/// settled.
struct RetiredConsumers {
  /// Each with the number of its last delivery.
  private var consumers: [(name: String, last: UInt64)] = []

  func contains(_ name: String) -> Bool { consumers.contains { $0.name == name } }

  /// Adds a consumer that the broker has just cancelled; deliveries that have reached the limit become stale.
  ///
  /// - Returns: how many there were.
  mutating func cancelled(_ name: String, limit: Duration, _ ledger: inout AckLedger) -> Int {
    let earlier = consumers.first { $0.name == name }
    let last = earlier?.last ?? ledger.last
    if earlier == nil { consumers.append((name, last)) }
    // The broker's timer starts when it sends the task, and it reports the timeout at once.
    return ledger.expire(receivedBy: .now + (min(.seconds(1), limit / 8) - limit), upTo: last)
  }

  /// Removes a consumer that the broker does not keep.
  mutating func remove(_ name: String) { consumers.removeAll { $0.name == name } }

  /// Takes out the consumers whose deliveries are settled.
  mutating func takeSettled(_ ledger: AckLedger) -> [String] {
    guard !consumers.isEmpty else { return [] }
    let settled = consumers.filter { ledger.isSettled(upTo: $0.last) }
    consumers.removeAll { consumer in settled.contains { $0.name == consumer.name } }
    return settled.map(\.name)
  }

  mutating func takeAll() -> [String] {
    defer { consumers = [] }
    return consumers.map(\.name)
  }
}
