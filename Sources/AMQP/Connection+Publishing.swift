internal import CRabbitMQ

extension Connection {
  /// Sends a message (`basic.publish`, mandatory) and asks for its confirm; waits for neither.
  ///
  /// - Returns: the tag that its confirm will carry. Tags count from 1 in each channel session.
  /// - Throws: `tooLarge` before anything is sent; `timedOut` when the broker does not read; `lost`.
  package mutating func publish(
    _ message: Message, exchange: String = "", routingKey: String
  ) throws(AMQPError) -> UInt64 {
    try checkLength(exchange, "the exchange's name")
    try checkLength(routingKey, "the routing key")
    for (name, value) in message.properties.shortStrings { try checkLength(value, "the \(name)") }
    try openChannel(confirms: true)
    defer { pool.recycle() }
    var properties = unsafe pool.properties(message.properties)
    let (exchange, routingKey) = unsafe (pool.bytes(exchange), pool.bytes(routingKey))
    try sending("publish") {
      unsafe message.body.withUnsafeBytes { body in
        let start = unsafe UnsafeMutableRawPointer(mutating: body.baseAddress)
        return unsafe amqp_basic_publish(
          state, Self.channel, exchange, routingKey, 1, 0, &properties,
          amqp_bytes_t(len: body.count, bytes: start))
      }
    }
    if !message.body.isEmpty && message.body.count % Int(unsafe amqp_get_frame_max(state) - 8) == 0 {
      // amqp_basic_publish() marks the last piece of such a body as "more to come", and the kernel holds
      // it back for 200 ms. A frame behind it sends it off.
      var heartbeat = unsafe amqp_frame_t()
      unsafe heartbeat.frame_type = UInt8(AMQP_FRAME_HEARTBEAT)
      try sending("publish") { unsafe amqp_send_frame(state, &heartbeat) }
    }
    lastPublishTag += 1
    return lastPublishTag
  }
}
