package import AMQP

extension Message {
  /// The message as it is published to another queue.
  ///
  /// Without `keepsAttempts`, it has no headers of earlier attempts. The user ID is removed, because the broker
  /// accepts only the ID of the user who publishes.
  package func moved(keepsAttempts: Bool) -> Message {
    var copy = self
    copy.properties.userID = nil
    copy.properties.headers?.entries.removeAll { entry in
      TaskHeaders.isBrokers(entry.name) || !keepsAttempts && TaskHeaders.tellsOfFailure(entry.name)
    }
    if copy.properties.headers?.entries.isEmpty == true { copy.properties.headers = nil }
    return copy
  }
}

/// A header with a value, by which tasks are selected.
package struct HeaderMatch: Equatable, Sendable {
  package let name: String
  package let value: FieldValue

  package init(name: String, value: FieldValue) {
    self.name = name
    self.value = value
  }

  /// Whether a message has the header with that value; 5 and "5" are equal.
  package func matches(_ message: Message) -> Bool {
    guard let found = message.properties.headers?[name] else { return false }
    return found == value || found.plain != nil && found.plain == value.plain
  }
}
