internal import CRabbitMQ

/// Puts the frames of one content together: METHOD, HEADER, then BODY frames until all bytes are here.
struct ContentAssembler {
  /// The method that announced the content.
  enum Announcement {
    case deliver(tag: Delivery.Tag, isRedelivered: Bool, exchange: String, routingKey: String)
    case get(tag: Delivery.Tag, isRedelivered: Bool, exchange: String, routingKey: String)
    case `return`(code: UInt16, reason: String, exchange: String, routingKey: String)
  }

  private enum State {
    case idle
    case announced(Announcement)
    case receiving(Announcement, Message, size: UInt64)
  }

  /// A peer's word about a size is not enough to reserve more than this many bytes at once.
  private static let largestReservation: UInt64 = 16 << 20

  private var state = State.idle

  mutating func begin(_ announcement: Announcement) throws(AMQPError) {
    guard case .idle = state else { throw Self.outOfOrder("a content while another was not complete") }
    state = .announced(announcement)
  }

  /// Takes the header; a content without a body is complete with it.
  mutating func header(bodySize: UInt64, _ properties: Message.Properties) throws(AMQPError) -> Event? {
    guard case .announced(let announcement) = state else {
      throw Self.outOfOrder("a content header that no method announced")
    }
    var message = Message(body: [], properties: properties)
    guard bodySize > 0 else { return complete(announcement, message) }
    message.body.reserveCapacity(Int(min(bodySize, Self.largestReservation)))
    state = .receiving(announcement, message, size: bodySize)
    return nil
  }

  /// Takes one frame of the body.
  mutating func body(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Event? {
    guard case .receiving(let announcement, var message, let size) = state else {
      throw Self.outOfOrder("a content body without a header")
    }
    state = .idle  // so that the message is not copied while it grows
    unsafe message.body.append(contentsOf: bytes)
    let received = UInt64(message.body.count)
    guard received <= size else { throw Self.outOfOrder("a content body longer than announced") }
    guard received < size else { return complete(announcement, message) }
    state = .receiving(announcement, message, size: size)
    return nil
  }

  private mutating func complete(_ announcement: Announcement, _ message: Message) -> Event {
    state = .idle
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
