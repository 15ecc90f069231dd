/// A task as a queue handed it to us (`basic.deliver`, `basic.get-ok`).
///
/// An object, because it is passed on many times and its properties are many.
package final class Delivery: Equatable, Sendable {
  /// Names a delivery on the channel session it came from; in a later session it means nothing, or
  /// somebody else's delivery.
  package struct Tag: Hashable, Sendable {
    package let session: Int
    package let number: UInt64

    package init(session: Int, number: UInt64) {
      self.session = session
      self.number = number
    }
  }

  package let tag: Tag
  /// Whether it was handed out before, to us or to someone else; it may or may not have been worked on.
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

/// A mandatory message that no queue would take (`basic.return`).
package struct ReturnedMessage: Equatable, Sendable {
  /// 312 when no queue is bound there.
  package let code: UInt16
  package let reason: String
  package let exchange: String
  package let routingKey: String
  package let message: Message
}
