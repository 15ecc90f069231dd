package import AMQP

/// To which broker messages go, and how sure of it we want to be.
package struct SenderOptions: Equatable, Sendable {
  /// What is done about a message that is returned for want of a queue.
  package enum MissingQueue: Equatable, Sendable {
    case create
    /// Sent again if the queue exists, which says that it was created meanwhile.
    case check
    case report
  }

  package var addresses: [Address]
  package var connection: Connection.Options
  /// What is being done, for errors.
  var operation = "publish"
  package var missingQueue = MissingQueue.report
  /// Whether messages are confirmed; without, one counts as confirmed when it is sent.
  package var confirms = true
  /// Whether messages name exchanges of their own, so that one that is missing is that message's fault.
  package var mixesExchanges = false
  /// Whether a message is refused whose headers leave no room for those that the broker adds.
  package var leavesHeadroom = false
  /// For a message's confirm, counted from when the broker has all of it.
  package var confirmTimeout = Duration.seconds(30)
  /// Whether a broker that blocks publishers may take longer.
  var waitsWhileBlocked = false

  package init(_ addresses: [Address], _ connection: Connection.Options) {
    (self.addresses, self.connection) = (addresses, connection)
  }
}

/// What happens while messages are sent.
package enum SenderEvent: Equatable, Sendable {
  case connected(broker: String, address: Address)
  /// A message was returned because there is no such queue.
  case declaring(queue: String)
  case waitingQueue(WaitingQueueEvent)
  /// The broker blocks publishers; a publisher waits for `timeout` at most.
  case blocked(reason: String, timeout: Duration)
  case unblocked
  /// For the first time the broker has declined a task; it is tried again for `timeout` after the last that it
  /// confirmed.
  case declined(reason: String, timeout: Duration)
  /// The connection failed; the next attempt comes in `retry`, at once with another broker when that is zero.
  case lost(AMQPError, unconfirmed: Int, retry: Duration)
}
