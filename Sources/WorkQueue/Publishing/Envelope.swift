package import AMQP

/// A message and where it goes.
package struct Envelope: Equatable, Sendable {
  package var message: Message
  /// The exchange's name; the empty one hands the message to the queue that the routing key names.
  package var exchange: String
  package var routingKey: String
  /// How long the broker is to hold it back before its queue gets it.
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

/// How the broker answered for one envelope.
package enum BrokerReply: Equatable, Sendable {
  /// A queue has it, and the broker has taken responsibility.
  case confirmed
  /// No queue would take it, for the broker's reason.
  case unroutable(reason: String)
  /// The broker will not have it, for something about the task.
  case refused(reason: String)
  /// The broker does not take it now (`basic.nack`): its queue is full and told to refuse, or has lost its
  /// leader.
  case declined(reason: String)
}
