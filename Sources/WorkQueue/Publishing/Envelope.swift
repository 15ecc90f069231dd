package import AMQP

/// A message and where it goes.
package struct Envelope: Equatable, Sendable {
  package var message: Message
  /// The exchange's name; the empty one hands the message to the queue that the routing key names.
  package var exchange: String
  package var routingKey: String
  /// After which time its queue gets it.
  package var delay: Duration?

  package init(_ message: Message, exchange: String = "", routingKey: String, delay: Duration? = nil) {
    self.message = message
    self.exchange = exchange
    self.routingKey = routingKey
    self.delay = delay
  }

  /// A measure of the memory that it takes, and of its time in flight, in bytes.
  var size: Int { message.body.count + 256 }
}

/// What became of one envelope at the broker.
package enum BrokerReply: Equatable, Sendable {
  /// A queue has it, and the broker has taken responsibility.
  case confirmed
  /// No queue would take it, for the broker's reason.
  case unroutable(reason: String)
  /// The broker does not accept it, for something about the task.
  case refused(reason: String)
  /// The broker does not take it now (`basic.nack`): its queue is full and told to refuse, or has lost its
  /// leader.
  case declined(reason: String)
  /// Its queue does not exist, and is not to be created.
  case missing(reason: String)
}

/// Something to be published.
protocol Outgoing {
  /// The message, with the name of the work queue where it goes to one of its waiting queues.
  var envelope: Envelope { get }
  var route: Route { get }
}

extension Outgoing {
  /// The queue that it is for, in the end.
  var queue: String { envelope.routingKey }
}

/// How a message gets to its queue.
enum Route: Equatable {
  case direct
  /// By a queue in which it waits for this time before it is first delivered.
  case delay(Duration)
  /// By a queue in which it waits for this time before its next attempt.
  case retry(Duration)
  /// To a failed queue, which is created if there is none.
  case failedQueue
}
