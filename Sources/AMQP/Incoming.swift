internal import CRabbitMQ

/// What a method frame from the broker means to us, copied out of the library's memory.
enum Incoming {
  case event(Event)
  /// Header and body follow.
  case content(ContentAssembler.Announcement)
  case cancelled(consumer: String, wantsAnswer: Bool)
  case channelClosed(AMQPError)
  case connectionClosed(AMQPError)
  /// The answer to our `connection.close`.
  case closed
  /// An answer to what was sent without waiting for one.
  case nothing

  /// What the broker closed the channel over; only publishing says of itself what it is about.
  private static func operation(of close: amqp_channel_close_t) -> String {
    let isPublish = unsafe close.class_id == 60 && close.method_id == 40
    return isPublish ? "publish" : "use the channel"
  }

  /// Reads a method; `session` is the channel session that a delivery's tag belongs to.
  init(_ method: amqp_method_t, session: Int) throws(AMQPError) {
    func decoded<Method>(_ type: Method.Type) -> Method {
      unsafe method.decoded.assumingMemoryBound(to: type).pointee
    }
    switch unsafe method.id {
    case AMQP_BASIC_ACK_METHOD:
      let ack = decoded(amqp_basic_ack_t.self)
      self = .event(.confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, accepted: true))
    case AMQP_BASIC_NACK_METHOD:
      let nack = decoded(amqp_basic_nack_t.self)
      self = .event(.confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, accepted: false))
    case AMQP_BASIC_DELIVER_METHOD:
      let deliver = unsafe decoded(amqp_basic_deliver_t.self)
      self = unsafe .content(
        .deliver(
          tag: Delivery.Tag(session: session, number: deliver.delivery_tag),
          isRedelivered: deliver.redelivered != 0, exchange: deliver.exchange.text,
          routingKey: deliver.routing_key.text))
    case AMQP_BASIC_GET_OK_METHOD:
      let got = unsafe decoded(amqp_basic_get_ok_t.self)
      self = unsafe .content(
        .get(
          tag: Delivery.Tag(session: session, number: got.delivery_tag),
          isRedelivered: got.redelivered != 0, exchange: got.exchange.text,
          routingKey: got.routing_key.text))
    case AMQP_BASIC_GET_EMPTY_METHOD:
      self = .event(.got(nil))
    case AMQP_BASIC_RETURN_METHOD:
      let back = unsafe decoded(amqp_basic_return_t.self)
      self = unsafe .content(
        .return(
          code: back.reply_code, reason: back.reply_text.text.harmless, exchange: back.exchange.text,
          routingKey: back.routing_key.text))
    case AMQP_BASIC_CANCEL_METHOD:
      let cancel = unsafe decoded(amqp_basic_cancel_t.self)
      self = unsafe .cancelled(consumer: cancel.consumer_tag.text, wantsAnswer: cancel.nowait == 0)
    case AMQP_CONNECTION_BLOCKED_METHOD:
      self = unsafe .event(.blocked(reason: decoded(amqp_connection_blocked_t.self).reason.text.harmless))
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      self = .event(.unblocked)
    case AMQP_CHANNEL_CLOSE_METHOD:
      let close = unsafe decoded(amqp_channel_close_t.self)
      self = unsafe .channelClosed(
        AMQPError(code: close.reply_code, close.reply_text.text, Self.operation(of: close)))
    case AMQP_CONNECTION_CLOSE_METHOD:
      let close = unsafe decoded(amqp_connection_close_t.self)
      self = unsafe .connectionClosed(
        AMQPError(code: close.reply_code, close.reply_text.text, "use the connection"))
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
      self = .closed
    case AMQP_CHANNEL_OPEN_OK_METHOD, AMQP_CONFIRM_SELECT_OK_METHOD:
      self = .nothing
    default:
      throw AMQPError(
        .protocolViolation, "read from the broker",
        unsafe "it sent \(amqp_method_name(method.id).map { unsafe String(cString: $0) } ?? "an unknown method")"
      )
    }
  }
}
