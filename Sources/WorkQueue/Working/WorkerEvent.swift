package import AMQP

/// What a worker has to say while it runs.
package enum WorkerEvent {
  /// Connected, and consuming for the first time.
  case waiting(broker: String, address: Address)
  case received(Delivery)
  /// The work took that long, and the broker is told that it is done.
  case done(Delivery, Duration)
  /// The work is done, but the connection that it came by is gone: the broker gives it out again.
  case doneInVain(Delivery, Duration)
  /// The connection is gone; the next attempt comes in `retry`.
  case lost(AMQPError, running: Int, retry: Duration)
  /// An attempt to connect again failed; the next one comes in `retry`.
  case unreachable(AMQPError, retry: Duration)
  /// Connected again, and consuming.
  case reconnected(broker: String, address: Address)
  /// The broker ended the consumer: the queue was deleted, or has moved.
  case cancelled(queue: String)
  /// The broker closed the channel, and running tasks will be given out again.
  case channelClosed(AMQPError, running: Int)
  /// Consuming again after one of the two.
  case resumed(queue: String)
  /// A signal asked to stop: what runs is finished first, what was not begun has been given back.
  case stopping(running: Int, handedBack: Int)
  /// Left at once; these tasks go back to the queue, or are lost where they are not acknowledged.
  case abandoned(running: Int, acknowledges: Bool)
}
