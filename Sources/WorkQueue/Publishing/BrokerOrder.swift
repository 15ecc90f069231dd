internal import AMQP

/// The order in which a sender tries its brokers, and why those that it tried refuse the present connection.
struct BrokerOrder {
  private var addresses: [Address]
  /// Number of brokers that have failed in turn since the last success.
  private var failures = 0
  private var candidates: ArraySlice<Address> = []
  private var refusals: [(address: Address, error: AMQPError)] = []

  init(_ addresses: [Address]) { self.addresses = addresses }

  /// Starts again with the first broker.
  mutating func restart() { (candidates, refusals) = (addresses[...], []) }

  /// The next untried broker; nil when all were tried.
  mutating func next() -> Address? { candidates.popFirst() }

  mutating func refused(_ address: Address, _ error: AMQPError) { refusals.append((address, error)) }

  /// Why no broker accepts the connection.
  var error: AMQPError { AMQPError(refusals) }

  /// Makes the next connection start with another broker, because this one fails for now.
  ///
  /// - Returns: whether a broker is left that has not failed yet.
  mutating func moveToEnd(_ address: Address) -> Bool {
    addresses.moveToEnd(address)
    failures += 1
    return failures < addresses.count
  }

  /// Counts no broker as failed any more.
  mutating func forgetFailures() { failures = 0 }
}
