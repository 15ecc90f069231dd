internal import AMQP

/// A sender's connection to the first broker that accepts it; connecting does not block.
///
/// The log-in is pipelined with the first messages. If this fails, it is repeated step by step, because some brokers
/// do not support pipelining.
struct Uplink: ~Copyable {
  private let options: Connection.Options
  /// In the order of attempts.
  private var addresses: [Address]
  /// Number of brokers that have failed in turn since the last success.
  private var failures = 0
  /// The brokers not tried yet for this connection, and why the others did not accept it.
  private var candidates: ArraySlice<Address> = []
  private var refusals: [(address: Address, error: AMQPError)] = []
  private var isPipelined = true
  /// The connection, also before the log-in is complete; nil without one.
  var connection: Connection?
  /// When the log-in was completed; nil before.
  private(set) var openSince: Deadline?

  init(_ addresses: [Address], _ options: Connection.Options) {
    (self.addresses, self.options) = (addresses, options)
  }

  var isConnected: Bool { connection != nil }
  var isOpen: Bool { openSince != nil }
  /// Whether messages may be published: with a pipelined log-in, also before it is complete.
  var takesMessages: Bool { isOpen || isPipelined }

  /// Begins to connect.
  ///
  /// - Throws: why none of the brokers accepts the connection.
  mutating func connect() throws(AMQPError) {
    (candidates, refusals, openSince) = (addresses[...], [], nil)
    try connectNext()
  }

  private mutating func connectNext() throws(AMQPError) {
    connection = nil
    while let address = candidates.popFirst() {
      do throws(AMQPError) {
        isPipelined = true
        connection = try Connection.start(address, options, isPipelined: true)
        return
      } catch { refusals.append((address, error)) }
    }
    throw AMQPError(refusals)
  }

  /// Notes that the log-in is complete.
  ///
  /// - Returns: whether it was completed since the last call.
  mutating func noteOpen() -> Bool {
    guard !isOpen, connection?.isOpen == true else { return false }
    (openSince, candidates, refusals) = (.now, [], [])
    return true
  }

  /// Makes the next attempt after a failure before the end of the log-in: step by step, or with the next broker.
  ///
  /// - Throws: why none of the brokers accepts the connection.
  mutating func tryNext(after error: AMQPError) throws(AMQPError) {
    guard let address = connection?.address else { return }
    if isPipelined, connection?.isConnected == true, connection?.hasMissedLogin == false {
      isPipelined = false
      do throws(AMQPError) {
        connection = try Connection.start(address, options)
        return
      } catch {
        refusals.append((address, error))
        return try connectNext()
      }
    }
    refusals.append((address, error))
    try connectNext()
  }

  /// Makes the next connection begin with another broker, because this one fails for now.
  ///
  /// - Returns: whether there is a broker that has not failed yet.
  mutating func moveOn(after error: AMQPError) -> Bool {
    guard error.isTransient, let address = connection?.address else { return false }
    addresses.moveToEnd(address)
    failures += 1
    return failures < addresses.count
  }

  /// Forgets which brokers have failed.
  mutating func forgetFailures() { failures = 0 }

  /// Closes the connection, on which nothing is unconfirmed.
  mutating func close() {
    connection?.close()
    drop()
  }

  /// Drops the connection.
  mutating func drop() {
    connection = nil
    openSince = nil
  }
}
