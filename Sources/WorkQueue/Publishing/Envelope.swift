package import AMQP

/// A message and its destination.
package struct Envelope: Equatable, Sendable {
  package var message: Message
  /// The exchange's name; the default exchange (empty) routes to the queue that the routing key names.
  package var exchange: String
  package var routingKey: String
  /// The delay before its queue gets it.
  package var delay: Duration?

  package init(_ message: Message, exchange: String = "", routingKey: String, delay: Duration? = nil) {
    self.message = message
    self.exchange = exchange
    self.routingKey = routingKey
    self.delay = delay
  }

  /// Its approximate size in memory, in bytes.
  var size: Int { message.body.count + 256 }
}

/// The broker's result for one envelope.
package enum BrokerReply: Equatable, Sendable {
  /// Routed to a queue, and confirmed.
  case confirmed
  /// Unroutable, for the broker's reason.
  case unroutable(reason: String)
  /// The broker refuses it because of the task itself.
  case refused(reason: String)
  /// The broker does not accept it now (`basic.nack`): its queue is full and rejects, or has lost its leader.
  case declined(reason: String)
  /// Its queue does not exist, and must not be created.
  case missing(reason: String)
}

/// Something to be published.
protocol Outgoing {
  /// The message; for a waiting queue its routing key is the work queue's name.
  var envelope: Envelope { get }
  var route: Route { get }
}

extension Outgoing {
  /// The queue that it finally gets to.
  var queue: String { envelope.routingKey }
}

/// How a message reaches its queue.
enum Route: Equatable {
  case direct
  /// Through a queue in which it waits for this time before its first delivery.
  case delay(Duration)
  /// Through a queue in which it waits for this time before its next attempt.
  case retry(Duration)
  /// To a failed queue, which is created if there is none.
  case failedQueue
}
