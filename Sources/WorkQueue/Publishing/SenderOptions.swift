package import AMQP

/// The brokers that messages are sent to, and the guarantees.
package struct SenderOptions: Equatable, Sendable {
  /// What to do about a message that is returned because its queue is missing.
  package enum MissingQueue: Equatable, Sendable {
    case create
    /// Send it again if the queue exists, that is, was created meanwhile.
    case check
    case report
  }

  package var addresses: [Address]
  package var connection: Connection.Options
  /// The operation, for errors.
  var operation = "publish"
  package var missingQueue = MissingQueue.report
  /// Whether to use publisher confirms; without them a message counts as confirmed when it is sent.
  package var confirms = true
  /// Whether messages can name different exchanges, so that a missing exchange is an error of one message.
  package var mixesExchanges = false
  /// Whether to refuse a message whose headers leave no space for those that the broker adds.
  package var leavesHeadroom = false
  /// Time limit for a confirm, from when the message was sent completely.
  package var confirmTimeout = Duration.seconds(30)
  /// Whether the limit is suspended while the broker blocks publishers.
  var waitsWhileBlocked = false

  package init(_ addresses: [Address], _ connection: Connection.Options) {
    (self.addresses, self.connection) = (addresses, connection)
  }
}

/// Events while messages are sent.
package enum SenderEvent: Equatable, Sendable {
  case connected(broker: String, address: Address)
  /// A message was returned because there is no such queue.
  case declaring(queue: String)
  case waitingQueue(WaitingQueueEvent)
  /// The broker blocks publishers; the publisher waits for `timeout` at most.
  case blocked(reason: String, timeout: Duration)
  case unblocked
  /// The broker has declined a task for the first time; tasks are tried again for `timeout` after the last confirm.
  case declined(reason: String, timeout: Duration)
  /// The connection failed; the next attempt is made after `retry`, or at once with another broker when that is zero.
  case lost(AMQPError, unconfirmed: Int, retry: Duration)
}
