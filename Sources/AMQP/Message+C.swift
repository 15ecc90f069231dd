internal import CRabbitMQ

extension Message.Properties {
  /// Copies properties out of the library's memory.
  init(_ c: amqp_basic_properties_t) {
    func given<Value>(_ flag: Int32, _ value: @autoclosure () -> Value) -> Value? {
      unsafe c._flags & amqp_flags_t(flag) == 0 ? nil : value()
    }
    contentType = unsafe given(AMQP_BASIC_CONTENT_TYPE_FLAG, c.content_type.text)
    contentEncoding = unsafe given(AMQP_BASIC_CONTENT_ENCODING_FLAG, c.content_encoding.text)
    headers = unsafe given(AMQP_BASIC_HEADERS_FLAG, FieldTable(c.headers))
    deliveryMode = unsafe given(AMQP_BASIC_DELIVERY_MODE_FLAG, c.delivery_mode)
      .flatMap(DeliveryMode.init(rawValue:))
    priority = unsafe given(AMQP_BASIC_PRIORITY_FLAG, c.priority)
    correlationID = unsafe given(AMQP_BASIC_CORRELATION_ID_FLAG, c.correlation_id.text)
    replyTo = unsafe given(AMQP_BASIC_REPLY_TO_FLAG, c.reply_to.text)
    expiration = unsafe given(AMQP_BASIC_EXPIRATION_FLAG, c.expiration.text)
    messageID = unsafe given(AMQP_BASIC_MESSAGE_ID_FLAG, c.message_id.text)
    timestamp = unsafe given(AMQP_BASIC_TIMESTAMP_FLAG, c.timestamp)
    type = unsafe given(AMQP_BASIC_TYPE_FLAG, c.type.text)
    userID = unsafe given(AMQP_BASIC_USER_ID_FLAG, c.user_id.text)
    appID = unsafe given(AMQP_BASIC_APP_ID_FLAG, c.app_id.text)
  }
}

extension Pool {
  /// The C form of the properties; valid until the pool is recycled.
  ///
  /// - Throws: `tooLarge`, as `checkNames()` does, for a text that is longer than AMQP's short strings.
  mutating func properties(_ properties: Message.Properties) throws(AMQPError) -> amqp_basic_properties_t {
    var (flags, longest) = (Int32(0), 0)
    func given<Value>(_ value: Value?, _ flag: Int32) -> Value? {
      if value != nil { flags |= flag }
      return value
    }
    func text(_ text: String?, _ flag: Int32) -> amqp_bytes_t {
      guard let text = given(text, flag) else { return unsafe amqp_bytes_t() }
      longest = max(longest, text.utf8.count)
      return unsafe bytes(text)
    }
    var c = unsafe amqp_basic_properties_t()
    unsafe c.content_type = text(properties.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG)
    unsafe c.content_encoding = text(properties.contentEncoding, AMQP_BASIC_CONTENT_ENCODING_FLAG)
    if let headers = given(properties.headers, AMQP_BASIC_HEADERS_FLAG) { unsafe c.headers = table(headers) }
    unsafe c.delivery_mode = given(properties.deliveryMode, AMQP_BASIC_DELIVERY_MODE_FLAG)?.rawValue ?? 0
    unsafe c.priority = given(properties.priority, AMQP_BASIC_PRIORITY_FLAG) ?? 0
    unsafe c.correlation_id = text(properties.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG)
    unsafe c.reply_to = text(properties.replyTo, AMQP_BASIC_REPLY_TO_FLAG)
    unsafe c.expiration = text(properties.expiration, AMQP_BASIC_EXPIRATION_FLAG)
    unsafe c.message_id = text(properties.messageID, AMQP_BASIC_MESSAGE_ID_FLAG)
    unsafe c.timestamp = given(properties.timestamp, AMQP_BASIC_TIMESTAMP_FLAG) ?? 0
    unsafe c.type = text(properties.type, AMQP_BASIC_TYPE_FLAG)
    unsafe c.user_id = text(properties.userID, AMQP_BASIC_USER_ID_FLAG)
    unsafe c.app_id = text(properties.appID, AMQP_BASIC_APP_ID_FLAG)
    unsafe c._flags = amqp_flags_t(flags)
    if longest > AMQPError.longestName { try properties.checkNames() }
    return unsafe c
  }
}
