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

  /// Refuses a property that is too long for what AMQP writes it as: a short string, of 255 bytes at most.
  ///
  /// It runs for every task that is published, so it makes no list of them.
  func checkLengths() throws(AMQPError) {
    try AMQPError.checkLength(contentType, "the content-type")
    try AMQPError.checkLength(contentEncoding, "the content-encoding")
    try AMQPError.checkLength(correlationID, "the correlation-id")
    try AMQPError.checkLength(replyTo, "the reply-to")
    try AMQPError.checkLength(expiration, "the expiration")
    try AMQPError.checkLength(messageID, "the message-id")
    try AMQPError.checkLength(type, "the type")
    try AMQPError.checkLength(userID, "the user-id")
    try AMQPError.checkLength(appID, "the app-id")
  }
}

extension Pool {
  /// The C form of the properties; it lives as long as this pool's contents.
  mutating func properties(_ properties: Message.Properties) -> amqp_basic_properties_t {
    var c = unsafe amqp_basic_properties_t()
    var flags: Int32 = 0
    if let it = properties.contentType {
      flags |= AMQP_BASIC_CONTENT_TYPE_FLAG
      unsafe c.content_type = bytes(it)
    }
    if let it = properties.contentEncoding {
      flags |= AMQP_BASIC_CONTENT_ENCODING_FLAG
      unsafe c.content_encoding = bytes(it)
    }
    if let it = properties.headers {
      flags |= AMQP_BASIC_HEADERS_FLAG
      unsafe c.headers = table(it)
    }
    if let it = properties.deliveryMode {
      flags |= AMQP_BASIC_DELIVERY_MODE_FLAG
      unsafe c.delivery_mode = it.rawValue
    }
    if let it = properties.priority {
      flags |= AMQP_BASIC_PRIORITY_FLAG
      unsafe c.priority = it
    }
    if let it = properties.correlationID {
      flags |= AMQP_BASIC_CORRELATION_ID_FLAG
      unsafe c.correlation_id = bytes(it)
    }
    if let it = properties.replyTo {
      flags |= AMQP_BASIC_REPLY_TO_FLAG
      unsafe c.reply_to = bytes(it)
    }
    if let it = properties.expiration {
      flags |= AMQP_BASIC_EXPIRATION_FLAG
      unsafe c.expiration = bytes(it)
    }
    if let it = properties.messageID {
      flags |= AMQP_BASIC_MESSAGE_ID_FLAG
      unsafe c.message_id = bytes(it)
    }
    if let it = properties.timestamp {
      flags |= AMQP_BASIC_TIMESTAMP_FLAG
      unsafe c.timestamp = it
    }
    if let it = properties.type {
      flags |= AMQP_BASIC_TYPE_FLAG
      unsafe c.type = bytes(it)
    }
    if let it = properties.userID {
      flags |= AMQP_BASIC_USER_ID_FLAG
      unsafe c.user_id = bytes(it)
    }
    if let it = properties.appID {
      flags |= AMQP_BASIC_APP_ID_FLAG
      unsafe c.app_id = bytes(it)
    }
    unsafe c._flags = amqp_flags_t(flags)
    return unsafe c
  }
}
