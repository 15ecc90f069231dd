/// How a task is settled after an attempt.
package enum Settlement: Equatable, Sendable {
  /// Done: acknowledged (`basic.ack`).
  case acknowledge
  /// Retried after this time: a copy waits in the broker, and the original is acknowledged; or, if the policy says
  /// so, after a time that the queue decides (`basic.reject` with requeue).
  case retry(after: Duration)
  /// Requeued at once after a failure (`basic.reject` with requeue).
  case requeue
  /// Parked: a copy is published to the failed queue, and the original is acknowledged.
  case park
  /// Dropped, or dead-lettered if the queue says so (`basic.reject`).
  case drop
  /// Requeued without a failure (`basic.nack` with requeue).
  ///
  /// RabbitMQ 4.3 and later count only rejects: a task that is requeued by `basic.nack` never exceeds the delivery
  /// limit.
  case release
}
