internal import CRabbitMQ

/// The one place where the library's statuses and the broker's replies become errors.
extension AMQPError {
  /// A status below zero, as rabbitmq-c's functions return it.
  init(status: Int32, _ operation: String) {
    let detail = unsafe String(cString: amqp_error_string2(status))
    switch amqp_status_enum(status) {
    case AMQP_STATUS_TIMEOUT:
      self.init(.timedOut, operation, "no answer in time")
    case AMQP_STATUS_HEARTBEAT_TIMEOUT:
      self.init(.lost, operation, "nothing came from the broker for two heartbeats")
    case AMQP_STATUS_CONNECTION_CLOSED, AMQP_STATUS_SOCKET_CLOSED:
      self.init(.lost, operation, "the other side closed the connection")
    case AMQP_STATUS_SOCKET_ERROR, AMQP_STATUS_TCP_ERROR, AMQP_STATUS_SSL_ERROR:
      self.init(.lost, operation, "the connection broke")
    case AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED:
      self.init(.unresolvable, operation, detail)
    case AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION:
      self.init(.noBroker, operation, "what answers there speaks another protocol than AMQP 0-9-1")
    case AMQP_STATUS_TABLE_TOO_BIG:
      self.init(.tooLarge, operation, "the headers are larger than a frame")
    default:
      self.init(.protocolViolation, operation, detail)
    }
  }

  /// The answer to a call that failed; `notReceived` where it is no failure is a bug of ours.
  init(reply: amqp_rpc_reply_t, _ operation: String) {
    switch unsafe reply.reply_type {
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
      unsafe self.init(status: reply.library_error, operation)
    case AMQP_RESPONSE_SERVER_EXCEPTION where unsafe reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD:
      let close = unsafe reply.reply.decoded.assumingMemoryBound(to: amqp_connection_close_t.self)
      unsafe self.init(code: close.pointee.reply_code, close.pointee.reply_text.text, operation)
    case AMQP_RESPONSE_SERVER_EXCEPTION where unsafe reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD:
      let close = unsafe reply.reply.decoded.assumingMemoryBound(to: amqp_channel_close_t.self)
      unsafe self.init(code: close.pointee.reply_code, close.pointee.reply_text.text, operation)
    default:
      self.init(.protocolViolation, operation, "an answer that the library does not explain")
    }
  }

  /// A reply code and text of the broker's, as a channel or connection close carries them.
  init(code: UInt16, _ text: String, _ operation: String) {
    let detail = Self.line(text)
    self.init(Reason.kind(code: code, detail), operation, detail)
  }

  /// The broker's words on one line and without control characters: Erlang's terms come with line ends, and
  /// what a client has sent may be in them.
  private static func line(_ text: String) -> String {
    text.unicodeScalars.split { $0.properties.isWhitespace || $0.properties.generalCategory == .control }
      .map { String($0) }.joined(separator: " ")
  }
}
