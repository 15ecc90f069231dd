extension Connection {
  /// Connects to the first of a cluster's nodes that will have us, in the order given.
  ///
  /// With `isOptimistic` the first that can be reached is taken, on a plain connection, and the log-in is
  /// still going on.
  ///
  /// - Throws: what `init(to:_:)` throws of a single node. Of several, what each of them said, as an error of
  ///   the last one's kind, or of the last that may be reached later: one node that refuses us for good does
  ///   not make the others useless.
  package static func open(
    firstOf addresses: [Address], _ options: Options, isOptimistic: Bool = false
  ) throws(AMQPError) -> Connection {
    var failures: [(address: Address, error: AMQPError)] = []
    ConnectionAttempt.reset()
    for address in addresses where !ConnectionAttempt.isInterrupted {
      do throws(AMQPError) {
        if isOptimistic && address.tls == nil {
          return try Connection(optimisticallyTo: address, options.with(address))
        }
        return try Connection(to: address, options.with(address))
      } catch {
        failures.append((address, error))
      }
    }
    guard let last = failures.last else {
      if !addresses.isEmpty { throw AMQPError(.unreachable, "connect", "a signal came") }
      throw AMQPError(.badAddress, "connect", "no broker was named")
    }
    guard failures.count > 1 else { throw last.error }
    let details = failures.map { "\($0.address.location): \($0.error.detail)" }
    let kind = failures.last { $0.error.isTransient }?.error.kind ?? last.error.kind
    throw AMQPError(kind, "connect to any of them", details.joined(separator: "; "))
  }
}

extension [Address] {
  /// Has a node that refuses for now tried after all others.
  package mutating func moveToEnd(_ address: Address) {
    guard let index = firstIndex(of: address) else { return }
    append(remove(at: index))
  }
}

extension Connection.Options {
  /// What the address says of itself goes before what holds for all.
  fileprivate func with(_ address: Address) -> Self {
    var options = self
    options.heartbeat = address.heartbeat ?? heartbeat
    options.connectTimeout = address.connectTimeout ?? connectTimeout
    return options
  }
}
