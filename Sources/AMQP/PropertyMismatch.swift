/// Which property of an existing queue is not what was asked for, read from the broker's 406.
package struct PropertyMismatch: Equatable, Sendable {
  package let property: String
  package let asked: String
  package let actual: String

  /// Reads RabbitMQ's words: "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but
  /// current is 'true'", or with "the value '5' of type 'signedint'" and "none" in place of values.
  ///
  /// - Returns: nil when these are other words.
  package init?(_ error: AMQPError) {
    guard error.kind == .preconditionFailed,
      let property = error.detail.between("inequivalent arg '", "' for "),
      // A queue's name may hold any words: the ones meant are the last.
      let (head, actual) = error.detail.splitAtLast(" but current is "),
      let (_, asked) = head.splitAtLast(": received ")
    else { return nil }
    self.property = property
    self.asked = Self.value(asked)
    self.actual = Self.value(actual)
  }

  private static func value(_ words: String) -> String {
    if let value = words.between("the value '", "' of type '") { return value }
    guard words.count > 1, words.hasPrefix("'"), words.hasSuffix("'") else { return words }
    return String(words.dropFirst().dropLast())
  }
}

extension String {
  /// What stands between the first `start` and the first `end` after it.
  fileprivate func between(_ start: String, _ end: String) -> String? {
    guard let from = firstRange(of: start), let to = self[from.upperBound...].firstRange(of: end) else {
      return nil
    }
    return String(self[from.upperBound..<to.lowerBound])
  }

  fileprivate func splitAtLast(_ separator: String) -> (String, String)? {
    guard let range = ranges(of: separator).last else { return nil }
    return (String(self[..<range.lowerBound]), String(self[range.upperBound...]))
  }
}
