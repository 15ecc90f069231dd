package import AMQP

/// The history of a task's deliveries from its headers, and thus whether it may kill its workers.
///
/// A quorum queue counts returned deliveries (`x-delivery-count`), whatever the reason: a worker that died, a lost
/// connection, up to RabbitMQ 4.2 also a shutdown or a look. From 4.0 on it drops or dead-letters a task after 20,
/// unless it was declared with another limit. So the count says little about the task, and must not get near that
/// limit. A copy of the task at the end of the queue starts again with 0, and can carry our own count of starts
/// (`x-workq-starts`). A classic queue counts nothing.
package struct DeliveryHistory: Equatable, Sendable {
  /// From this count on a task is replaced before it is run or returned.
  package static let suspiciousReturns = 10
  /// From this count on it is replaced even while it only waits: 20 is the limit of RabbitMQ 4.
  static let mostReturns = 15
  /// A task with this many recorded starts and no end is parked when it is redelivered.
  package static let mostStarts = 5

  /// Returned deliveries of this copy of the task, counted by the broker.
  package let returns: Int
  /// Recorded starts.
  package let starts: Int

  package init(_ headers: FieldTable?) {
    returns = headers?.count("x-delivery-count") ?? 0
    starts = headers?.count(TaskHeaders.starts) ?? 0
  }

  /// Whether the start of its next run must be recorded first.
  package var isSuspicious: Bool { returns >= Self.suspiciousReturns || starts > 0 && returns > 0 }

  /// Whether enough runs were started and none has ended.
  var hasKilledWorkers: Bool { starts >= Self.mostStarts && returns > 0 }

  /// Whether the task must not be returned again, because that would get near the limit or look like a dead worker.
  package var mustNotReturn: Bool { returns >= Self.suspiciousReturns || starts > 0 }

  /// Whether it must be replaced even while it only waits.
  var isNearLimit: Bool { returns >= Self.mostReturns }
}

extension Delivery {
  /// The history of the task's deliveries, up to this one.
  package var history: DeliveryHistory { DeliveryHistory(message.properties.headers) }
}
