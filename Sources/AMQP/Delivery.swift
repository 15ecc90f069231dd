/// A task that the broker delivered (`basic.deliver`, `basic.get-ok`).
///
/// A class, because it is passed on many times and is large.
package final class Delivery: Equatable, Sendable {
  /// Identifies a delivery within its channel session; in a later session the tag is unknown, or another delivery's.
  package struct Tag: Hashable, Sendable {
    package let session: Int
    package let number: UInt64

    package init(session: Int, number: UInt64) {
      self.session = session
      self.number = number
    }
  }

  package let tag: Tag
  /// Whether it was delivered before, to us or to another consumer; it may or may not have been processed.
  package let isRedelivered: Bool
  package let exchange: String
  package let routingKey: String
  package let message: Message

  package init(tag: Tag, isRedelivered: Bool, exchange: String, routingKey: String, message: Message) {
    self.tag = tag
    self.isRedelivered = isRedelivered
    self.exchange = exchange
    self.routingKey = routingKey
    self.message = message
  }

  package static func == (left: Delivery, right: Delivery) -> Bool {
    left.tag == right.tag && left.isRedelivered == right.isRedelivered && left.exchange == right.exchange
      && left.routingKey == right.routingKey && left.message == right.message
  }
}

/// A mandatory message that was unroutable (`basic.return`).
package struct ReturnedMessage: Equatable, Sendable {
  /// 312 when no queue is bound there.
  package let code: UInt16
  package let reason: String
  package let exchange: String
  package let routingKey: String
  package let message: Message
}
