/// What a broker can say to us without being asked, as `Connection.nextEvent(within:)` reports it.
///
/// 1. To a publisher: `confirmed`, `returned`, `blocked`, `unblocked`.
/// 2. To a worker: `delivered`, `cancelled`; to one that asked for a task: `got`.
/// 3. To both: `channelClosed`. The end of the connection is no event but an error.
package enum Event: Equatable, Sendable {
  /// The broker has taken responsibility (`basic.ack`), or refused to (`basic.nack`), for the message
  /// with this publish tag, or for all up to it. A message that was returned before is confirmed, too.
  case confirmed(tag: UInt64, multiple: Bool, accepted: Bool)
  /// A mandatory message that was not routed; its confirm follows.
  indirect case returned(ReturnedMessage)
  case delivered(Delivery)
  /// The answer to a `basic.get`; nil when no task waits.
  case got(Delivery?)
  /// The answer to a `queue.declare` that was not waited for.
  case declared(Queue.Status)
  /// The answer to a `basic.consume` that was not waited for.
  case consuming
  /// The broker ended our consumer: the queue was deleted, or its leader moved (`basic.cancel`), or it was asked to by
  /// `sendCancel(consumer:)` (`basic.cancel-ok`).
  case cancelled(consumer: String)
  /// The broker closed the channel: all that was in flight on it is void. The next use opens another.
  case channelClosed(AMQPError)
  /// The broker has stopped reading what this connection publishes, for the reason it gives.
  case blocked(reason: String)
  case unblocked
}
