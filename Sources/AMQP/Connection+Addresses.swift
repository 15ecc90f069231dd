extension Connection {
  /// Connects to the first of a cluster's nodes that accepts the connection, in the order given.
  ///
  /// With `isPipelined` the log-in of the one that was reached is still going on.
  ///
  /// - Throws: what `open(_:_:isPipelined:)` throws of a single node; of several, the reasons of all, as an
  ///   error of the last one's kind, or of the last that may be reached later: one node that refuses us for
  ///   good does not make the others useless. `interrupted` at once.
  package static func open(
    firstOf addresses: [Address], _ options: Options, isPipelined: Bool = false
  ) throws(AMQPError) -> Connection {
    var failures: [(address: Address, error: AMQPError)] = []
    for address in addresses {
      do throws(AMQPError) {
        return try open(address, options, isPipelined: isPipelined)
      } catch {
        guard error.kind != .interrupted else { throw error }
        failures.append((address, error))
      }
    }
    guard let last = failures.last else { throw AMQPError(.badAddress, "connect", "no broker was named") }
    guard failures.count > 1 else { throw last.error }
    let details = failures.map { "\($0.address.location): \($0.error.detail)" }
    let kind = failures.last { $0.error.isTransient }?.error.kind ?? last.error.kind
    throw AMQPError(kind, "connect to any of them", details.joined(separator: "; "))
  }

  /// Connects to a cluster's nodes in turn, in the order given, until `body` does not fail with one for a
  /// reason that may pass.
  ///
  /// - Throws: what `body` throws of a reason that does not pass, or of the last node; `interrupted` at once.
  package static func withFirst<Value: ~Copyable>(
    of addresses: [Address], _ options: Options,
    _ body: (consuming Connection) throws(AMQPError) -> Value
  ) throws(AMQPError) -> Value {
    var (rest, refusal) = (addresses[...], AMQPError?.none)
    while true {
      let connection: Connection
      do throws(AMQPError) {
        connection = try open(firstOf: Array(rest), options)
      } catch {
        throw refusal ?? error
      }
      let place = rest.firstIndex(of: connection.address) ?? rest.startIndex
      do throws(AMQPError) {
        return try body(connection)
      } catch {
        rest = rest[(place + 1)...]
        guard error.isTransient, error.kind != .interrupted, !rest.isEmpty else { throw error }
        refusal = error
      }
    }
  }
}

extension [Address] {
  /// Has a node that refuses for now tried after all others.
  package mutating func moveToEnd(_ address: Address) {
    guard let index = firstIndex(of: address) else { return }
    append(remove(at: index))
  }
}
