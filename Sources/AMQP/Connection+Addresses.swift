/// An attempt to connect to the first node of a cluster that accepts the connection, in the order given.
///
/// It never blocks, except in `finish()`: its owner calls `advance()` when `descriptor` is ready or `nextDeadline` has
/// passed.
package struct ConnectionAttempt: ~Copyable {
  private let options: Connection.Options
  private var rest: ArraySlice<Address>
  private var failures: [(address: Address, error: AMQPError)] = []
  private var connection: Connection?

  package init(_ addresses: [Address], _ options: Connection.Options) {
    (self.options, rest) = (options, addresses[...])
  }

  package var descriptor: Int32? { mutating get { connection?.descriptor } }
  package var waitsForWriting: Bool { mutating get { connection?.waitsForWriting == true } }
  package var nextDeadline: Deadline {
    mutating get { connection?.nextService ?? .never }
  }
  /// Whether untried nodes are left.
  package var hasMore: Bool { !rest.isEmpty }

  /// Continues as far as possible without blocking.
  ///
  /// - Returns: the connection, when the log-in is complete; a further call connects to another node.
  /// - Throws: for one node, why it failed; for several, the reasons of all. The kind is that of the last transient
  ///   error, or else of the last error: a permanent error of one node does not make the others useless.
  package mutating func advance() throws(AMQPError) -> Connection? {
    while true {
      var address = connection?.address
      do throws(AMQPError) {
        if connection == nil {
          address = rest.popFirst()
          guard let address else { break }
          connection = try Connection.start(address, options)
        }
        try connection?.advanceLogin()
        return connection?.isOpen == true ? connection.take() : nil
      } catch {
        connection = nil
        if let address { failures.append((address, error)) }
      }
    }
    throw AMQPError(failures)
  }

  /// Waits until the log-in is complete.
  ///
  /// - Throws: what `advance()` throws; `interrupted`.
  package mutating func finish() throws(AMQPError) -> Connection {
    while true {
      if let connection = try advance() { return connection }
      try connection?.wait(until: .never, orInterrupt: Interruption.attempt, "connect")
    }
  }
}

extension Connection {
  /// Connects to the first node of a cluster that accepts the connection, in the order given.
  ///
  /// - Throws: the errors of a `ConnectionAttempt`; `interrupted` at once.
  package static func open(firstOf addresses: [Address], _ options: Options) throws(AMQPError) -> Connection {
    var attempt = ConnectionAttempt(addresses, options)
    return try attempt.finish()
  }

  /// Connects to a cluster's nodes in the order given, until `body` succeeds or fails permanently.
  ///
  /// - Throws: the permanent error of `body`, or its error on the last node; `interrupted` at once.
  package static func withFirst<Value: ~Copyable>(
    of addresses: [Address], _ options: Options, _ body: (consuming Connection) throws(AMQPError) -> Value
  ) throws(AMQPError) -> Value {
    var attempt = ConnectionAttempt(addresses, options)
    var refusal: AMQPError?
    while true {
      let connection: Connection
      do throws(AMQPError) { connection = try attempt.finish() } catch { throw refusal ?? error }
      do throws(AMQPError) { return try body(connection) } catch {
        guard error.isTransient, error.kind != .interrupted, attempt.hasMore else { throw error }
        refusal = error
      }
    }
  }
}

extension AMQPError {
  /// Why none of several nodes accepted a connection.
  package init(_ failures: [(address: Address, error: AMQPError)]) {
    guard let last = failures.last else {
      self.init(.badAddress, "connect", "no broker was named")
      return
    }
    guard failures.count > 1 else {
      self = last.error
      return
    }
    let details = failures.map { "\($0.address.location): \($0.error.detail)" }
    let kind = failures.last { $0.error.isTransient }?.error.kind ?? last.error.kind
    self.init(kind, "connect to any of them", details.joined(separator: "; "))
  }
}

extension [Address] {
  /// Moves a node that refuses for now behind all others.
  package mutating func moveToEnd(_ address: Address) {
    guard let index = firstIndex(of: address) else { return }
    append(remove(at: index))
  }
}
