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

  /// How much of a content has come.
  private enum Progress {
    case nothing
    case method
    case header
  }

  // Moved from hand to hand, never copied: a message's properties are many, and there is one for each task.
  private var progress = Progress.nothing
  private var announcement: Announcement?
  private var message = Message(body: [])
  private var size: UInt64 = 0

  mutating func begin(_ announcement: consuming Announcement) throws(AMQPError) {
    guard progress == .nothing else { throw Self.outOfOrder("a content while another was not complete") }
    self.announcement = announcement
    progress = .method
  }

  /// Takes the header; a content without a body is complete with it.
  mutating func header(
    bodySize: UInt64, _ properties: consuming Message.Properties
  ) throws(AMQPError) -> Event? {
    guard progress == .method else { throw Self.outOfOrder("a content header that no method announced") }
    message.properties = properties
    guard bodySize > 0 else { return try complete() }
    progress = .header
    size = bodySize
    message.body.reserveCapacity(Int(min(bodySize, Self.largestReservation)))
    return nil
  }

  /// Takes one frame of the body.
  mutating func body(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Event? {
    guard progress == .header else { throw Self.outOfOrder("a content body without a header") }
    unsafe message.body.append(contentsOf: bytes)
    let received = UInt64(message.body.count)
    guard received <= size else { throw Self.outOfOrder("a content body longer than announced") }
    return received == size ? try complete() : nil
  }

  private mutating func complete() throws(AMQPError) -> Event {
    guard let announcement = announcement.take() else {
      throw Self.outOfOrder("a content that no method announced")
    }
    let message = exchange(&message, with: Message(body: []))
    progress = .nothing
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
