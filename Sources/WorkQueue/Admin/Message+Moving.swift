package import AMQP

extension Message {
  /// The message as it is published again in another queue.
  ///
  /// Without `keepsAttempts` it is one that was never tried. Who published it first cannot be claimed by
  /// anybody else, so the user's name goes.
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

/// A header that tasks are chosen by.
package struct HeaderMatch: Equatable, Sendable {
  package let name: String
  package let value: FieldValue

  package init(name: String, value: FieldValue) {
    self.name = name
    self.value = value
  }

  /// Whether a message has the header with that value; 5 and "5" are the same.
  package func matches(_ message: Message) -> Bool {
    guard let found = message.properties.headers?[name] else { return false }
    return found == value || found.plain != nil && found.plain == value.plain
  }
}
