internal import AMQP

/// A sender's connection to the first of the brokers that accepts it; to connect blocks nothing.
///
/// The log-in and the first messages leave together. When that fails, it is done again step by step: there are brokers
/// that do not take it.
struct Uplink: ~Copyable {
  private let options: Connection.Options
  /// In the order in which they are tried.
  private var addresses: [Address]
  /// How many of them have failed in turn since the last success.
  private var failures = 0
  /// The brokers that were not tried, and why the others did not accept the present connection.
  private var candidates: ArraySlice<Address> = []
  private var refusals: [(address: Address, error: AMQPError)] = []
  private var isPipelined = true
  /// The connection, also before the log-in is complete; nil without one.
  var connection: Connection?
  /// When the log-in was complete; nil before.
  private(set) var openSince: Deadline?

  init(_ addresses: [Address], _ options: Connection.Options) {
    (self.addresses, self.options) = (addresses, options)
  }

  var isConnected: Bool { connection != nil }
  var isOpen: Bool { openSince != nil }
  /// Whether messages may be published: when the log-in is pipelined, also before it is complete.
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
  /// - Returns: whether it has been since the last time.
  mutating func noteOpen() -> Bool {
    guard !isOpen, connection?.isOpen == true else { return false }
    (openSince, candidates, refusals) = (.now, [], [])
    return true
  }

  /// Makes the next attempt after one that failed before the log-in was complete: step by step, or with the next broker.
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

  /// Has the next connection begin with another broker, if this one fails for now.
  ///
  /// - Returns: whether there is one that has not failed yet.
  mutating func moveOn(after error: AMQPError) -> Bool {
    guard error.isTransient, let address = connection?.address else { return false }
    addresses.moveToEnd(address)
    failures += 1
    return failures < addresses.count
  }

  /// No broker counts as one that has failed any more.
  mutating func forgetFailures() { failures = 0 }

  /// Closes the connection, on which nothing is unconfirmed.
  mutating func close() {
    connection?.close()
    drop()
  }

  /// Gives the connection up.
  mutating func drop() {
    connection = nil
    openSince = nil
  }
}
