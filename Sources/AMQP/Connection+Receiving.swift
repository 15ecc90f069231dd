internal import CRabbitMQ

extension amqp_method_t {
  /// rabbitmq-c's structure for the method.
  func decoded<Method>(as type: Method.Type) -> Method {
    unsafe decoded.assumingMemoryBound(to: type).pointee
  }
}

/// Converts the broker's frames to events, and copies them out of rabbitmq-c's memory.
extension Connection {
  /// Handles a frame.
  ///
  /// - Returns: the event that the frame completes.
  /// - Throws: why the broker closed the connection; `protocolViolation`.
  mutating func handle(_ frame: amqp_frame_t) throws(AMQPError) -> Event? {
    switch Int32(unsafe frame.frame_type) {
    case AMQP_FRAME_METHOD:
      let method = unsafe frame.payload.method
      guard !isOpen, try unsafe login.handle(method, &writer) else { return try unsafe handle(method) }
      heartbeats = Heartbeats(every: login.heartbeat)
      return nil
    case AMQP_FRAME_HEADER:
      let header = unsafe frame.payload.properties
      let properties = unsafe header.decoded.assumingMemoryBound(to: amqp_basic_properties_t.self)
      return try unsafe assembler.header(
        bodySize: header.body_size, Message.Properties(properties.pointee))
    case AMQP_FRAME_BODY:
      let fragment = unsafe frame.payload.body_fragment
      return try unsafe assembler.body(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
    case AMQP_FRAME_HEARTBEAT: return nil
    case Int32(UInt8(ascii: "A")): throw Login.otherProtocol  // rabbitmq-c's mark for a protocol header
    default: throw AMQPError.unexpected("a frame of an unknown type")
    }
  }

  private mutating func handle(_ method: amqp_method_t) throws(AMQPError) -> Event? {
    switch unsafe method.id {
    case AMQP_BASIC_ACK_METHOD:
      let ack = unsafe method.decoded(as: amqp_basic_ack_t.self)
      return .confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, accepted: true)
    case AMQP_BASIC_NACK_METHOD:
      let nack = unsafe method.decoded(as: amqp_basic_nack_t.self)
      return .confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, accepted: false)
    case AMQP_BASIC_DELIVER_METHOD:
      let deliver = unsafe method.decoded(as: amqp_basic_deliver_t.self)
      try unsafe assembler.begin(
        .delivery(
          Delivery.Tag(session: session, number: deliver.delivery_tag), isAnswer: false,
          isRedelivered: deliver.redelivered != 0, deliver.exchange.text, deliver.routing_key.text))
    case AMQP_BASIC_GET_OK_METHOD:
      let got = unsafe method.decoded(as: amqp_basic_get_ok_t.self)
      try unsafe assembler.begin(
        .delivery(
          Delivery.Tag(session: session, number: got.delivery_tag), isAnswer: true,
          isRedelivered: got.redelivered != 0, got.exchange.text, got.routing_key.text))
    case AMQP_BASIC_GET_EMPTY_METHOD: return .got(nil)
    case AMQP_BASIC_RETURN_METHOD:
      let back = unsafe method.decoded(as: amqp_basic_return_t.self)
      try unsafe assembler.begin(
        .return(
          code: back.reply_code, reason: back.reply_text.text.sanitized, back.exchange.text,
          back.routing_key.text))
    case AMQP_BASIC_CANCEL_METHOD:
      let cancel = unsafe method.decoded(as: amqp_basic_cancel_t.self)
      if unsafe cancel.nowait == 0 {
        var ok = unsafe amqp_basic_cancel_ok_t(consumer_tag: cancel.consumer_tag)
        try unsafe send(AMQP_BASIC_CANCEL_OK_METHOD, &ok, "confirm the cancel")
      }
      return unsafe .cancelled(consumer: cancel.consumer_tag.text)
    case AMQP_CONNECTION_BLOCKED_METHOD:
      return unsafe .blocked(reason: method.decoded(as: amqp_connection_blocked_t.self).reason.text.sanitized)
    case AMQP_CONNECTION_UNBLOCKED_METHOD: return .unblocked
    case AMQP_CHANNEL_CLOSE_METHOD:
      let close = unsafe method.decoded(as: amqp_channel_close_t.self)
      // Publishing has no caller that waits for a reply and names the operation.
      let isPublish = unsafe close.class_id == 60 && close.method_id == 40
      let operation = isPublish ? "publish" : "use the channel"
      try channel.confirmClose(&writer)
      return unsafe .channelClosed(AMQPError(code: close.reply_code, close.reply_text.text, operation))
    case AMQP_CONNECTION_CLOSE_METHOD:
      let close = unsafe method.decoded(as: amqp_connection_close_t.self)
      var ok = amqp_connection_close_ok_t()
      try? unsafe writer.append(AMQP_CONNECTION_CLOSE_OK_METHOD, on: 0, &ok, "confirm the close")
      sendUnsent()
      throw unsafe AMQPError(code: close.reply_code, close.reply_text.text, "use the connection")
    case AMQP_CONNECTION_CLOSE_OK_METHOD: throw AMQPError(.lost, "use the connection", "it is closed")
    // Replies to methods that were sent without waiting.
    case AMQP_QUEUE_DECLARE_OK_METHOD:
      pendingDeclarations -= 1
      return .declared(unsafe Self.status(method))
    case AMQP_BASIC_CONSUME_OK_METHOD: return .consuming
    case AMQP_BASIC_CANCEL_OK_METHOD:
      return unsafe .cancelled(consumer: method.decoded(as: amqp_basic_cancel_ok_t.self).consumer_tag.text)
    case AMQP_CHANNEL_OPEN_OK_METHOD, AMQP_CONFIRM_SELECT_OK_METHOD, AMQP_BASIC_QOS_OK_METHOD: break
    default:
      let name = unsafe amqp_method_name(method.id).map { unsafe String(cString: $0) }
      throw AMQPError.unexpected(name ?? "an unknown method")
    }
    return nil
  }
}
