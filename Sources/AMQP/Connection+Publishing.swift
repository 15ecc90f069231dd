internal import CRabbitMQ

extension Connection {
  /// Sends a message (`basic.publish`, mandatory) and asks for its confirm; waits for neither.
  ///
  /// On a plain connection it leaves with the next `nextEvent(within:)`, together with others.
  ///
  /// With `leavesHeadroom` the headers must leave room in their frame for what the broker adds.
  ///
  /// - Returns: the tag that its confirm will carry. Tags count from 1 in each channel session.
  /// - Throws: `tooLarge` before anything is sent; `timedOut` when the broker does not read; `lost`.
  package mutating func publish(
    _ message: Message, exchange: String = "", routingKey: String, confirms: Bool = true,
    leavesHeadroom: Bool = false
  ) throws(AMQPError) -> UInt64 {
    try checkLength(exchange, "the exchange's name")
    try checkLength(routingKey, "the routing key")
    try message.properties.checkLengths()
    let frameLimit = Int(isOpen ? unsafe amqp_get_frame_max(state) : Self.frameMax)
    if leavesHeadroom { try message.properties.checkSize(frameMax: frameLimit) }
    startSendingDirectly()
    try openChannel()
    if confirms { try selectConfirms() }
    defer { pool.recycle() }
    var properties = unsafe pool.properties(message.properties)
    let (exchange, routingKey) = unsafe (pool.bytes(exchange), pool.bytes(routingKey))
    if direct != nil {
      var method = unsafe amqp_basic_publish_t(
        ticket: 0, exchange: exchange, routing_key: routingKey, mandatory: 1, immediate: 0)
      try unsafe direct?.outgoing.append(
        &method, &properties, message.body, on: Self.channel, frameMax: frameLimit)
    } else {
      try unsafe publishByLibrary(message.body, &properties, exchange, routingKey)
    }
    lastPublishTag += 1
    return lastPublishTag
  }

  /// Asks something that changes nothing for a publisher (`basic.qos`), so that the answer comes when all
  /// that was sent before has been read, or why it was not.
  package mutating func waitUntilRead() throws(AMQPError) {
    try prepareToAsk("publish")
    unsafe amqp_basic_qos(state, Self.channel, 0, 0, 0)
    try unsafe check(amqp_get_rpc_reply(state), "publish")
  }

  private mutating func publishByLibrary(
    _ body: [UInt8], _ properties: inout amqp_basic_properties_t, _ exchange: amqp_bytes_t,
    _ routingKey: amqp_bytes_t
  ) throws(AMQPError) {
    try sending("publish") {
      unsafe body.withUnsafeBytes { body in
        let start = unsafe UnsafeMutableRawPointer(mutating: body.baseAddress)
        return unsafe amqp_basic_publish(
          state, Self.channel, exchange, routingKey, 1, 0, &properties,
          amqp_bytes_t(len: body.count, bytes: start))
      }
    }
    guard !body.isEmpty && body.count % Int(unsafe amqp_get_frame_max(state) - 8) == 0 else { return }
    // amqp_basic_publish() marks the last piece of such a body as "more to come", and the kernel holds
    // it back for 200 ms. A frame behind it sends it off.
    var heartbeat = unsafe amqp_frame_t()
    unsafe heartbeat.frame_type = UInt8(AMQP_FRAME_HEARTBEAT)
    try sending("publish") { unsafe amqp_send_frame(state, &heartbeat) }
  }
}
