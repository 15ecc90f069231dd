package import AMQP

extension Message {
  /// What a broker writes into headers on a message's way, and what would send it elsewhere as well.
  private static let headersOfTheWay: Set<String> = [
    "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
    "x-last-death-exchange", "x-last-death-queue", "x-last-death-reason", "x-delivery-count",
    "x-acquired-count", "x-stream-offset", "CC", "BCC",
  ]
  /// What workers write into the headers of a task that failed; the exceptions are no part of a failure, but
  /// say where the task was first published to.
  private static let failurePrefix = "x-workq-"
  private static let originHeaders: Set<String> = ["x-workq-exchange", "x-workq-routing-key"]

  /// The message as it is published again in another queue.
  ///
  /// Without `keepsAttempts` it is one that was never tried. Who published it first cannot be claimed by
  /// anybody else, so the user's name goes.
  package func moved(keepsAttempts: Bool) -> Message {
    var copy = self
    copy.properties.userID = nil
    copy.properties.headers?.entries.removeAll { entry in
      Self.headersOfTheWay.contains(entry.name)
        || !keepsAttempts && entry.name.hasPrefix(Self.failurePrefix)
          && !Self.originHeaders.contains(entry.name)
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
