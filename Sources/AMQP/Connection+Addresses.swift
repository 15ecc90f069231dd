extension Connection {
  /// Connects to the first of a cluster's nodes that will have us, in the order given.
  ///
  /// With `isOptimistic` the first that can be reached is taken, on a plain connection, and the log-in is
  /// still going on.
  ///
  /// - Throws: what `init(to:_:)` throws of a single node; of several, the last one's error with what
  ///   each of them said.
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
    throw AMQPError(last.error.kind, "connect to any of them", details.joined(separator: "; "))
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
