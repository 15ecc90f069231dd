internal import CRabbitMQ
internal import Synchronization

/// Sessions are counted over all connections of the process, so that no two have the same number.
private let sessions = Atomic<Int>(0)

// MARK: The channel

extension Connection {
  /// Opens the channel if it is not open, without waiting for the broker's answer: what follows may be
  /// sent at once, and a refusal arrives as an event or error like any other.
  mutating func openChannel() throws(AMQPError) {
    guard !channelIsOpen else { return }
    // What the library still holds from the session before would be taken for this one's. What came back
    // without a confirm to follow carries no number that could be mistaken, and is told of nowhere else.
    while unsafe amqp_frames_enqueued(state) != 0 {
      guard let event = try readEvent(within: .zero) else { continue }
      switch event {
      case .returned where !channelConfirms: heard.append(event)
      case .blocked, .unblocked: heard.append(event)
      default: break
      }
    }
    assembler = ContentAssembler()
    var open = unsafe amqp_channel_open_t()
    try unsafe send(AMQP_CHANNEL_OPEN_METHOD, on: Self.channel, &open, "open a channel")
    channelIsOpen = true
    channelConfirms = false
    session = sessions.wrappingAdd(1, ordering: .relaxed).newValue
  }

  /// Makes the channel a publisher's (`confirm.select`), if it is none yet.
  mutating func selectConfirms() throws(AMQPError) {
    guard !channelConfirms else { return }
    var select = amqp_confirm_select_t(nowait: 1)
    try send(AMQP_CONFIRM_SELECT_METHOD, on: Self.channel, &select, "ask for confirms")
    channelConfirms = true
    lastPublishTag = 0
  }

  /// Makes the channel ready for a question that the library sends and waits for.
  mutating func prepareToAsk(_ operation: String) throws(AMQPError) {
    try openChannel()
    try finishSending(operation)
  }

  /// Answers a `channel.close`; the next use of the channel opens it again.
  mutating func channelWasClosed() throws(AMQPError) {
    channelIsOpen = false
    var ok = amqp_channel_close_ok_t()
    try send(AMQP_CHANNEL_CLOSE_OK_METHOD, on: Self.channel, &ok, "confirm the channel's close")
  }

  mutating func confirmCancel(_ consumer: String) throws(AMQPError) {
    defer { pool.recycle() }
    var ok = unsafe amqp_basic_cancel_ok_t(consumer_tag: pool.bytes(consumer))
    try unsafe send(AMQP_BASIC_CANCEL_OK_METHOD, on: Self.channel, &ok, "confirm the cancel")
  }

  /// Sends one method, within the send's time limit.
  mutating func send<Method>(
    _ id: amqp_method_number_t, on channel: amqp_channel_t, _ method: inout Method, _ operation: String
  ) throws(AMQPError) {
    try unsafe withUnsafeMutablePointer(to: &method) { method throws(AMQPError) in
      if direct != nil { return try unsafe appendDirectly(id, on: channel, method, operation) }
      try sending(operation) { unsafe amqp_send_method(state, channel, id, method) }
    }
  }

  /// Runs a function of the library's that only sends, within the send's time limit.
  borrowing func sending(_ operation: String, _ call: () -> Int32) throws(AMQPError) {
    let (status, timedOut) = SendTimer.run(options.rpcTimeout, socket: descriptor, call)
    if timedOut { throw AMQPError(.timedOut, operation, "the broker does not read what we send") }
    guard status >= 0 else { throw AMQPError(status: status, operation) }
  }

  /// Turns the answer to a question into an error if it is one.
  mutating func check(_ reply: amqp_rpc_reply_t, _ operation: String) throws(AMQPError) {
    guard unsafe reply.reply_type != AMQP_RESPONSE_NORMAL else { return }
    let error = unsafe AMQPError(reply: reply, operation)
    if unsafe reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION
      && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD
    {
      try channelWasClosed()
    }
    throw error
  }
}
