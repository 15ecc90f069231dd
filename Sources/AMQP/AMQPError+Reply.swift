internal import CRabbitMQ

/// What the library's statuses and the broker's replies mean, these by code and text.
///
/// One code stands for what will pass and for what will not: 404 for a queue that does not exist and for one
/// whose node is down, 530 for a virtual host that does not exist and for a limit on connections. Only the
/// text tells them apart. The texts are those of RabbitMQ 3.10 to 4.3; any other one means what its code
/// says. Names that users choose are part of the texts, so only their beginnings and ends are compared.
extension AMQPError {
  /// A status below zero, as rabbitmq-c's functions return it.
  init(status: Int32, _ operation: String) {
    unsafe self.init(.protocolViolation, operation, String(cString: amqp_error_string2(status)))
  }

  /// The broker has sent what it must not send now.
  static func unexpected(_ what: String) -> AMQPError {
    AMQPError(.protocolViolation, "read from the broker", "it sent \(what)")
  }

  /// A reply code and text of the broker's, as a channel or connection close carries them.
  ///
  /// The text becomes one line without control characters: Erlang's terms come with line ends, and what a
  /// client has sent may be in them.
  init(code: UInt16, _ text: String, _ operation: String) {
    let parts = text.unicodeScalars.split {
      $0.properties.isWhitespace || $0.properties.generalCategory == .control
    }
    let detail = parts.map { String($0) }.joined(separator: " ")
    self.init(Self.kind(code: code, detail), operation, detail)
  }

  private static func kind(code: UInt16, _ reply: String) -> AMQPError.Kind {
    // "NOT_FOUND - no queue 'q' in vhost '/'"
    let text = reply.firstRange(of: " - ").map { reply[$0.upperBound...] } ?? reply[...]
    return switch Int32(code) {
    case AMQP_CONNECTION_FORCED: .lost
    case AMQP_CONTENT_TOO_LARGE: .tooLarge
    case AMQP_ACCESS_REFUSED: text.hasSuffix(" in exclusive use") ? .locked : .accessRefused
    case AMQP_NOT_FOUND: isUnreachable(text) ? .unavailable : .notFound
    // "basic.get operations are not supported by quorum queues with single active consumer"
    case AMQP_RESOURCE_LOCKED: text.hasSuffix(" single active consumer") ? .unsupported : .locked
    case AMQP_PRECONDITION_FAILED: preconditionFailed(text)
    case AMQP_RESOURCE_ERROR: .unavailable
    case AMQP_NOT_ALLOWED: notAllowed(text)
    case AMQP_NOT_IMPLEMENTED: .unsupported
    case AMQP_INTERNAL_ERROR: internalError(text)
    default: .protocolViolation
    }
  }

  /// Whether the text says of a queue that it exists, and that its process cannot be reached.
  private static func isUnreachable(_ text: Substring) -> Bool {
    guard !text.hasPrefix("no ") else { return false }
    return text.hasPrefix("home node '") || text.hasPrefix("failed to perform operation on ")
      || text.hasSuffix(" has crashed and failed to restart")
      || text.hasSuffix(" process is stopped by supervisor")
      || text.hasSuffix(". Refusing to force-delete.")
  }

  private static func preconditionFailed(_ text: Substring) -> AMQPError.Kind {
    // "cannot declare queue 'q': queue limit in vhost '/' (1) is reached"
    if isUnreachable(text) { return .unavailable }
    if text.hasPrefix("cannot declare queue ") && text.hasSuffix(" is reached") { return .unavailable }
    if text.hasPrefix("message size ") && text.contains(" is larger than ") { return .tooLarge }
    return .preconditionFailed
  }

  private static func notAllowed(_ text: Substring) -> AMQPError.Kind {
    if refusesConnection(text) { return .connectionRefused }
    if text.hasPrefix("number of channels opened ") { return .unavailable }
    // A consumer of ours that this connection is not rid of: a new connection is.
    if text.hasPrefix("attempt to reuse consumer tag ") { return .lost }
    return .accessRefused
  }

  private static func refusesConnection(_ text: Substring) -> Bool {
    guard text.hasPrefix("access to vhost '") || text.hasPrefix("connection refused") else { return false }
    return [") is reached", "' is down", "connection limit cannot be queried, timeout"]
      .contains { text.hasSuffix($0) }
  }

  /// An internal error closes the connection, and usually means no more than that.
  ///
  /// A queue without a majority of its nodes is reported as one, and so is a feature that the broker no
  /// longer has.
  private static func internalError(_ text: Substring) -> AMQPError.Kind {
    if refusesConnection(text) { return .connectionRefused }
    // "Feature `transient_nonexcl_queues` is deprecated. By default, this feature is not permitted anymore."
    let isFeature =
      text.hasPrefix("Feature `") || text.hasSuffix(" the corresponding feature flag is disabled")
    if isFeature { return .unsupported }
    let beginnings = [
      "Cannot declare ", "Could not declare ", "failed to declare ", "Could not set leader ",
      "Cannot delete ", "Could not delete ", "failed to delete ", "Cannot get a message from queue '",
      "timed out consuming ", "failed consuming ", "Stream coordinator unavailable ",
    ]
    let ends = [" metadata store timed out", " timeout occurred during consume operation"]
    if isUnreachable(text) || beginnings.contains(where: { text.hasPrefix($0) }) { return .unavailable }
    return ends.contains { text.hasSuffix($0) } ? .unavailable : .lost
  }
}
