/// Which property of an existing queue is not what was asked for, read from the broker's 406.
package struct PropertyMismatch: Equatable, Sendable {
  /// "durable", "auto_delete", or an `x-` argument's name.
  package let property: String
  package let asked: String
  package let actual: String
  /// Whether the broker has such an argument at all.
  package let actualIsGiven: Bool
  /// The type of what the broker has, in its words; nil is the type of what was asked for.
  package let actualType: String?

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
    actualIsGiven = actual != "none"
    actualType = actual.between("' of type '", "'")
  }

  private static func value(_ words: String) -> String {
    if let value = words.between("the value '", "' of type '") { return value }
    guard words.count > 1, words.hasPrefix("'"), words.hasSuffix("'") else { return words }
    return String(words.dropFirst().dropLast())
  }

  /// What the broker has, as the argument that would match it; nil is none, or of a type that is not known.
  ///
  /// `asked` is the argument that it refused.
  fileprivate func actualValue(insteadOf asked: FieldValue?) -> FieldValue? {
    guard actualIsGiven else { return nil }
    switch (actualType, asked) {
    case ("longstr", _), (nil, .text): return .text(actual)
    case ("bool", _), (nil, .boolean): return Bool(actual).map { .boolean($0) }
    default: return Int64(actual).map { .int64($0) }
    }
  }
}

extension Queue {
  /// The same with one property as the broker has it; nil when that cannot be told.
  package func adopting(_ mismatch: PropertyMismatch) -> Queue? {
    var queue = self
    switch mismatch.property {
    case "durable": queue.isDurable = mismatch.actual == "true"
    case "auto_delete": queue.isAutoDelete = mismatch.actual == "true"
    case let name where name.hasPrefix("x-"):
      let value = mismatch.actualValue(insteadOf: arguments[name])
      guard value != nil || !mismatch.actualIsGiven else { return nil }
      queue.arguments[name] = value
    default: return nil
    }
    return queue == self ? nil : queue
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
