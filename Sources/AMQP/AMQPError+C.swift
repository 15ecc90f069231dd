internal import CRabbitMQ

/// The one place where the library's statuses and the broker's replies become errors.
extension AMQPError {
  /// A status below zero, as rabbitmq-c's functions return it.
  init(status: Int32, _ operation: String) {
    unsafe self.init(.protocolViolation, operation, String(cString: amqp_error_string2(status)))
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
