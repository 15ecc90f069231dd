package import AMQP

/// What a task's headers tell of its deliveries, and so whether it may be the death of its workers.
///
/// A quorum queue counts deliveries that came back (`x-delivery-count`), whatever the reason: a worker that
/// died, a lost connection, up to RabbitMQ 4.2 also a stop or a look. From 4.0 on it drops or dead-letters a
/// task at 20, unless it was declared with another limit. So the count says little about the task, and must
/// not get near that limit: a copy of the task at the end of the queue has a count of 0 again, and can carry a
/// count of ours, of runs that were about to begin (`x-workq-starts`). A classic queue counts nothing.
package struct DeliveryHistory: Equatable, Sendable {
  /// From this count on a task is replaced before it is run or returned.
  package static let suspiciousReturns = 10
  /// From this count on it is replaced even while it only waits: 20 is the limit of RabbitMQ 4.
  static let mostReturns = 15
  /// A task with this many recorded starts, and not one end, is parked when it comes back once more.
  package static let mostStarts = 5

  /// Deliveries that came back, by the broker's count in this copy of the task.
  package let returns: Int
  /// Runs that were recorded before they began.
  package let starts: Int

  package init(_ headers: FieldTable?) {
    returns = headers?.count("x-delivery-count") ?? 0
    starts = headers?.count(TaskHeaders.starts) ?? 0
  }

  /// Whether the start of its next run must be recorded first.
  package var isSuspicious: Bool { returns >= Self.suspiciousReturns || starts > 0 && returns > 0 }

  /// Whether enough runs were begun, and none of them ended.
  var hasKilledWorkers: Bool { starts >= Self.mostStarts && returns > 0 }

  /// Whether the broker must not count one more return, because that would come near its limit or look like
  /// the end of a worker.
  package var mustNotReturn: Bool { returns >= Self.suspiciousReturns || starts > 0 }

  /// Whether it cannot even wait for its turn.
  var isNearLimit: Bool { returns >= Self.mostReturns }
}

extension Delivery {
  /// How the task fared in its queue until this delivery.
  package var history: DeliveryHistory { DeliveryHistory(message.properties.headers) }
}
