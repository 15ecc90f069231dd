internal import CRabbitMQ

/// Maps rabbitmq-c's statuses, and the code and text of the broker's replies, to errors.
///
/// The same code can be temporary or permanent: 404 for a queue whose node is down and for one that does not exist,
/// 530 for a limit on connections and for a virtual host that does not exist. Only the text tells them apart. The
/// texts are those of RabbitMQ 3.10 to 4.3; for any other text the code decides. Texts contain names that users
/// choose, so only their beginnings and ends are compared.
extension AMQPError {
  /// A status below zero, as rabbitmq-c's functions return it.
  init(status: Int32, _ operation: String) {
    unsafe self.init(.protocolViolation, operation, String(cString: amqp_error_string2(status)))
  }

  /// The broker sent something that the protocol does not allow at this point.
  static func unexpected(_ what: String) -> AMQPError {
    AMQPError(.protocolViolation, "read from the broker", "it sent \(what)")
  }

  /// The reply code and text of a `channel.close` or `connection.close` from the broker.
  ///
  /// The text becomes one line without control characters: it may contain Erlang terms with newlines, and data from
  /// clients.
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

  /// Whether the text says that the queue exists and its process cannot be reached.
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
    // This connection still has the old consumer; a new connection does not.
    if text.hasPrefix("attempt to reuse consumer tag ") { return .lost }
    return .accessRefused
  }

  private static func refusesConnection(_ text: Substring) -> Bool {
    guard text.hasPrefix("access to vhost '") || text.hasPrefix("connection refused") else { return false }
    return [") is reached", "' is down", "connection limit cannot be queried, timeout"]
      .contains { text.hasSuffix($0) }
  }

  /// An internal error closes the connection, and is usually temporary.
  ///
  /// The broker also reports a queue without a majority as an internal error, and a feature that it no longer has.
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
