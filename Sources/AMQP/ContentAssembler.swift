internal import CRabbitMQ

/// Puts the frames of one content together: METHOD, HEADER, then BODY frames until all bytes are here.
struct ContentAssembler {
  /// The method that announced the content.
  enum Announcement {
    case deliver(tag: Delivery.Tag, isRedelivered: Bool, exchange: String, routingKey: String)
    case get(tag: Delivery.Tag, isRedelivered: Bool, exchange: String, routingKey: String)
    case `return`(code: UInt16, reason: String, exchange: String, routingKey: String)
  }

  /// A peer's word about a size is not enough to reserve more than this many bytes at once.
  private static let largestReservation: UInt64 = 16 << 20

  /// What was announced and is not complete, and then its header.
  private var announcement: Announcement?
  private var properties: Message.Properties?
  private var body: [UInt8] = []
  private var size: UInt64 = 0

  mutating func begin(_ announcement: Announcement) throws(AMQPError) {
    guard self.announcement == nil else { throw Self.outOfOrder("a content while another was not complete") }
    self.announcement = announcement
  }

  /// Takes the header; a content without a body is complete with it.
  mutating func header(bodySize: UInt64, _ properties: Message.Properties) throws(AMQPError) -> Event? {
    guard let announcement, self.properties == nil else {
      throw Self.outOfOrder("a content header that no method announced")
    }
    guard bodySize > 0 else { return complete(announcement, properties) }
    self.properties = properties
    size = bodySize
    body.reserveCapacity(Int(min(bodySize, Self.largestReservation)))
    return nil
  }

  /// Takes one frame of the body.
  mutating func body(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Event? {
    guard properties != nil else { throw Self.outOfOrder("a content body without a header") }
    unsafe body.append(contentsOf: bytes)
    let received = UInt64(body.count)
    guard received <= size else { throw Self.outOfOrder("a content body longer than announced") }
    guard received == size, let announcement, let properties else { return nil }
    return complete(announcement, properties)
  }

  private mutating func complete(_ announcement: Announcement, _ properties: Message.Properties) -> Event {
    let message = Message(body: body, properties: properties)
    (self.announcement, self.properties, body) = (nil, nil, [])
    switch announcement {
    case .deliver(let tag, let isRedelivered, let exchange, let routingKey):
      return .delivered(
        Delivery(
          tag: tag, isRedelivered: isRedelivered, exchange: exchange, routingKey: routingKey,
          message: message))
    case .get(let tag, let isRedelivered, let exchange, let routingKey):
      return .got(
        Delivery(
          tag: tag, isRedelivered: isRedelivered, exchange: exchange, routingKey: routingKey,
          message: message))
    case .return(let code, let reason, let exchange, let routingKey):
      return .returned(
        ReturnedMessage(
          code: code, reason: reason, exchange: exchange, routingKey: routingKey, message: message))
    }
  }

  private static func outOfOrder(_ what: String) -> AMQPError {
    AMQPError(.protocolViolation, "read from the broker", "it sent \(what)")
  }
}
