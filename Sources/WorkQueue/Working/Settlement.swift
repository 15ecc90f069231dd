/// What becomes of a task after its work.
package enum Settlement: Equatable, Sendable {
  /// It is done: the broker forgets it (`basic.ack`).
  case acknowledge
  /// It comes back after that time: a copy waits in the broker, and the original is acknowledged; or, where the
  /// policy says so, after a time that the queue decides (`basic.reject` with requeue).
  case retry(after: Duration)
  /// It comes back at once, as one that failed (`basic.reject` with requeue).
  case requeue
  /// It goes to the failed queue, and the original is acknowledged.
  case park
  /// The broker forgets it, or dead-letters it where the queue says so (`basic.reject`).
  case drop
  /// It goes back as one that never failed (`basic.nack` with requeue).
  ///
  /// RabbitMQ counts the two ways apart from 4.3 on: a task that is only handed back is never given up.
  case release
}
