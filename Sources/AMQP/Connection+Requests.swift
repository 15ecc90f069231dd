internal import CRabbitMQ

/// Sends methods on the channel, with or without waiting for the broker's reply.
extension Connection {
  /// Sends a method on the channel and waits for its reply; other events are kept in their order.
  ///
  /// `method` is rabbitmq-c's structure for `id`; the memory that it uses of `pool` is freed afterwards. `operation`
  /// is a phrase for the error message.
  ///
  /// - Returns: the reply, in rabbitmq-c's memory: valid until the next frame is read.
  /// - Throws: why the broker closed the channel or the connection because of it; `timedOut` after `rpcTimeout`;
  ///   `interrupted`. After the last two, the connection cannot be used.
  @discardableResult
  mutating func request(
    _ id: amqp_method_number_t, _ method: UnsafeMutableRawPointer, _ operation: String
  ) throws(AMQPError) -> amqp_method_t {
    let deadline = Deadline.after(rpcTimeout)
    try openChannel()
    try unsafe send(id, method, operation)
    do throws(AMQPError) {
      while true {
        while let frame = try unsafe nextFrame() {
          // In AMQP the number of a reply is the request's plus 1; the replies on a channel arrive in order.
          if unsafe frame.frame_type == UInt8(AMQP_FRAME_METHOD) && frame.payload.method.id == id + 1,
            id != AMQP_QUEUE_DECLARE_METHOD || pendingDeclarations == 0
          {
            return unsafe frame.payload.method
          }
          guard let event = try unsafe handle(frame) else { continue }
          if case .channelClosed(let error) = event { throw error }
          pendingEvents.append(event)
        }
        guard try wait(until: deadline, orInterrupt: Interruption.request, operation) else {
          let reason = hasUnsent ? "the broker does not read what we send" : "no answer in time"
          throw AMQPError(.timedOut, operation, reason)
        }
      }
    } catch {
      throw AMQPError(error.kind, operation, error.detail)
    }
  }

  /// Opens the channel if it is not open, without waiting for the broker's reply.
  ///
  /// Methods may follow immediately; a refusal arrives as an event or error like any other.
  mutating func openChannel() throws(AMQPError) {
    guard !channel.isOpen else { return }
    // Events of the previous session would be mistaken for events of this one. A return without confirms carries no
    // tag that could be mistaken, and is reported nowhere else.
    pendingEvents.removeAll {
      switch $0 {
      case .returned: channel.confirms
      case .blocked, .unblocked: false
      default: true
      }
    }
    assembler = ContentAssembler()
    pendingDeclarations = 0
    try channel.open(&writer)
  }

  /// Closes the channel (`channel.close`), and waits for the broker's reply.
  ///
  /// The broker requeues everything unacknowledged on it, in order. The next use of the channel opens it again.
  package mutating func closeChannel() throws(AMQPError) {
    guard channel.isOpen else { return }
    var close = unsafe amqp_channel_close_t(
      reply_code: UInt16(AMQP_REPLY_SUCCESS), reply_text: pool.bytes(""), class_id: 0, method_id: 0)
    try unsafe request(AMQP_CHANNEL_CLOSE_METHOD, &close, "close the channel")
    channel.closed()
  }

  /// Appends a method of the channel to the output; the memory that it uses of `pool` is freed afterwards.
  mutating func send(
    _ id: amqp_method_number_t, _ method: UnsafeMutableRawPointer, _ operation: String
  ) throws(AMQPError) {
    defer { pool.recycle() }
    try unsafe writer.append(id, on: Channel.number, method, operation)
  }
}
