internal import AMQP

/// In which order a sender tries its brokers, and why those that it has tried do not accept the present connection.
struct BrokerOrder {
  private var addresses: [Address]
  /// How many of them have failed in turn since the last success.
  private var failures = 0
  private var candidates: ArraySlice<Address> = []
  private var refusals: [(address: Address, error: AMQPError)] = []

  init(_ addresses: [Address]) { self.addresses = addresses }

  /// Begins with the first.
  mutating func restart() { (candidates, refusals) = (addresses[...], []) }

  /// The next one that was not tried; nil when there is none.
  mutating func next() -> Address? { candidates.popFirst() }

  mutating func refused(_ address: Address, _ error: AMQPError) { refusals.append((address, error)) }

  /// Why none accepts the connection.
  var error: AMQPError { AMQPError(refusals) }

  /// Has the next connection begin with another broker: this one fails for now.
  ///
  /// - Returns: whether there is one that has not failed yet.
  mutating func moveToEnd(_ address: Address) -> Bool {
    addresses.moveToEnd(address)
    failures += 1
    return failures < addresses.count
  }

  /// None counts as one that has failed any more.
  mutating func forgetFailures() { failures = 0 }
}
