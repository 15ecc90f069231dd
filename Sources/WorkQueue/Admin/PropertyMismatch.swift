package import AMQP

/// A property in which an existing queue differs from its declaration, from the broker's 406.
package struct PropertyMismatch: Equatable, Sendable {
  /// "durable", "auto_delete", or an `x-` argument's name.
  package let property: String
  package let asked: String
  package let actual: String
  /// Whether the existing queue has such an argument.
  package let actualIsGiven: Bool
  /// The type of the existing value, as the broker names it; nil means the type of the declared value.
  package let actualType: String?

  /// Parses RabbitMQ's text: "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is
  /// 'true'", or with "the value '5' of type 'signedint'" and "none" in place of values.
  ///
  /// - Returns: nil for any other text.
  package init?(_ error: AMQPError) {
    // A queue's name may contain the same text; the last match is the broker's.
    let pattern = #/inequivalent arg '(.*?)' for .*: received (.*) but current is (.*)/#
    guard error.kind == .preconditionFailed, let match = error.detail.firstMatch(of: pattern) else {
      return nil
    }
    (property, asked, actual) = (String(match.1), Self.value(match.2), Self.value(match.3))
    actualIsGiven = match.3 != "none"
    actualType = match.3.firstMatch(of: #/' of type '(.*?)'/#).map { String($0.1) }
  }

  private static func value(_ text: Substring) -> String {
    let typed = text.firstMatch(of: #/the value '(.*?)' of type '/#)?.1
    return String(typed ?? text.wholeMatch(of: #/'(.*)'/#)?.1 ?? text)
  }

  /// The existing value as the argument that would match it; nil when it is none, or its type is unknown.
  ///
  /// `asked` is the argument that the broker refused.
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
  /// The queue with one property changed to the existing value; nil when that is unknown.
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
