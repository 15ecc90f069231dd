/// What the broker sends asynchronously, as `Connection.nextEvent(within:)` reports it.
///
/// 1. To a publisher: `confirmed`, `returned`, `blocked`, `unblocked`.
/// 2. To a worker: `delivered`, `cancelled`; after a `basic.get`: `got`.
/// 3. To both: `channelClosed`. The end of the connection is an error, not an event.
package enum Event: Equatable, Sendable {
  /// The broker confirms (`basic.ack`) or refuses (`basic.nack`) the message with this publish tag, or all up to it.
  /// A returned message is confirmed, too, after its return.
  case confirmed(tag: UInt64, multiple: Bool, accepted: Bool)
  /// A mandatory message that was not routed; its confirm follows.
  indirect case returned(ReturnedMessage)
  case delivered(Delivery)
  /// The reply to a `basic.get`; nil when no task waits.
  case got(Delivery?)
  /// The reply to a `queue.declare` that was sent without waiting.
  case declared(Queue.Status)
  /// The reply to a `basic.consume` that was sent without waiting.
  case consuming
  /// The broker ended our consumer: the queue was deleted, or its leader moved (`basic.cancel`), or it was asked to by
  /// `sendCancel(consumer:)` (`basic.cancel-ok`).
  case cancelled(consumer: String)
  /// The broker closed the channel: everything in flight on it is lost. The next use opens the channel again.
  case channelClosed(AMQPError)
  /// The broker blocks this connection (`connection.blocked`), for the reason it gives.
  case blocked(reason: String)
  case unblocked
}
