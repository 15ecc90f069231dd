internal import CRabbitMQ

/// Assembles a content from its frames: METHOD, HEADER, then BODY frames until the body is complete.
struct ContentAssembler {
  /// The method that announced the content.
  enum Announcement {
    /// `isAnswer` distinguishes `basic.get-ok` from `basic.deliver`.
    case delivery(Delivery.Tag, isAnswer: Bool, isRedelivered: Bool, _ exchange: String, _ routingKey: String)
    case `return`(code: UInt16, reason: String, _ exchange: String, _ routingKey: String)
  }

  /// No more than this many bytes are reserved at once, because the size that the peer announces is not trusted.
  private static let largestReservation: UInt64 = 16 << 20

  // Moved, never copied: a message has many properties, and each task has one.
  private var announcement: Announcement?
  private var message = Message(body: [])
  /// The bytes of the body; nil before the header has arrived.
  private var size: UInt64?

  mutating func begin(_ announcement: consuming Announcement) throws(AMQPError) {
    guard self.announcement == nil else {
      throw AMQPError.unexpected("a content while another was not complete")
    }
    self.announcement = announcement
  }

  /// Takes the header; a content without a body is complete with it.
  mutating func header(
    bodySize: UInt64, _ properties: consuming Message.Properties
  ) throws(AMQPError) -> Event? {
    guard announcement != nil, size == nil else {
      throw AMQPError.unexpected("a content header that no method announced")
    }
    message.properties = properties
    guard bodySize > 0 else { return complete() }
    size = bodySize
    message.body.reserveCapacity(Int(min(bodySize, Self.largestReservation)))
    return nil
  }

  /// Takes one frame of the body.
  mutating func body(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Event? {
    guard let size else { throw AMQPError.unexpected("a content body without a header") }
    unsafe message.body.append(contentsOf: bytes)
    let received = UInt64(message.body.count)
    guard received <= size else { throw AMQPError.unexpected("a content body longer than announced") }
    return received == size ? complete() : nil
  }

  private mutating func complete() -> Event? {
    guard let announcement = announcement.take() else { return nil }
    let message = exchange(&message, with: Message(body: []))
    size = nil
    switch announcement {
    case .delivery(let tag, let isAnswer, let isRedelivered, let exchange, let routingKey):
      let delivery = Delivery(
        tag: tag, isRedelivered: isRedelivered, exchange: exchange, routingKey: routingKey, message: message)
      return isAnswer ? .got(delivery) : .delivered(delivery)
    case .return(let code, let reason, let exchange, let routingKey):
      return .returned(
        ReturnedMessage(
          code: code, reason: reason, exchange: exchange, routingKey: routingKey, message: message))
    }
  }
}
