internal import CRabbitMQ

/// A message's `basic.publish` and content header in AMQP's encoding, without frames and without the body.
package struct EncodedMessage: Equatable, Sendable {
  /// `basic.publish`, with the exchange's name and the routing key.
  package let method: [UInt8]
  /// The content header: the body's size in bytes, and the properties.
  package let header: [UInt8]

  package init(method: [UInt8], header: [UInt8]) {
    self.method = method
    self.header = header
  }

  /// Encodes a message; `decode(body:)` restores it exactly.
  ///
  /// - Throws: `tooLarge` when a name or the headers do not fit, or tables are nested more deeply than we decode.
  package init(_ message: Message, exchange: String, routingKey: String) throws(AMQPError) {
    try AMQPError.checkLength(exchange, "the exchange's name")
    try AMQPError.checkLength(routingKey, "the routing key")
    try message.properties.checkNames()
    try self.init(encoding: message, exchange, routingKey)
    guard decode(body: message.body) != nil else {
      throw AMQPError(.tooLarge, "publish", "the headers are nested more than \(FieldTable.deepest) deep")
    }
  }

  private init(encoding message: Message, _ exchange: String, _ routingKey: String) throws(AMQPError) {
    var pool = Pool()
    var publish = unsafe amqp_basic_publish_t(
      ticket: 0, exchange: pool.bytes(exchange), routing_key: pool.bytes(routingKey), mandatory: 1,
      immediate: 0)
    method = unsafe try Self.encode { unsafe amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &publish, $0) }
    var properties = unsafe try pool.properties(message.properties)
    let encoded = unsafe try Self.encode {
      unsafe amqp_encode_properties(UInt16(AMQP_BASIC_CLASS), &properties, $0)
    }
    header = Self.headerStart(bodySize: message.body.count) + encoded
  }

  /// The message with this body, and where it goes.
  ///
  /// - Returns: nil when the bytes are not those of a message with such a body.
  package func decode(body: [UInt8]) -> (message: Message, exchange: String, routingKey: String)? {
    let start = Self.headerStart(bodySize: body.count)
    guard header.starts(with: start), header.count <= Connection.frameMax else { return nil }
    var pool = Pool()
    let publish = unsafe pool.decode(method, amqp_basic_publish_t.self) {
      unsafe amqp_decode_method(AMQP_BASIC_PUBLISH_METHOD, $0, $1, $2)
    }
    let properties = unsafe pool.decode(Array(header[start.count...]), amqp_basic_properties_t.self) {
      unsafe amqp_decode_properties(UInt16(AMQP_BASIC_CLASS), $0, $1, $2)
    }
    guard let publish = unsafe publish, let properties = unsafe properties else { return nil }
    let message = unsafe Message(body: body, properties: Message.Properties(properties))
    let (exchange, routingKey) = unsafe (publish.exchange.text, publish.routing_key.text)
    // Bytes that the decoders skipped would be lost.
    guard (try? EncodedMessage(encoding: message, exchange, routingKey)) == self else { return nil }
    return (message, exchange, routingKey)
  }

  /// The class, a weight of 0, and the body's size.
  private static func headerStart(bodySize: Int) -> [UInt8] {
    unsafe withUnsafeBytes(of: (UInt32(AMQP_BASIC_CLASS) << 16).bigEndian) { unsafe Array($0) }
      + withUnsafeBytes(of: UInt64(bodySize).bigEndian) { unsafe Array($0) }
  }

  /// Runs one of the library's encoders with a buffer of a frame's size.
  private static func encode(_ encoder: (amqp_bytes_t) -> Int32) throws(AMQPError) -> [UInt8] {
    let bytes = unsafe withUnsafeTemporaryAllocation(byteCount: Connection.frameMax, alignment: 1) { room in
      let count = Int(unsafe encoder(amqp_bytes_t(len: room.count, bytes: room.baseAddress)))
      return count < 0 ? nil : unsafe [UInt8](UnsafeRawBufferPointer(rebasing: room[..<count]))
    }
    guard let bytes else { throw AMQPError(.tooLarge, "publish", "the headers are larger than a frame") }
    return bytes
  }
}
