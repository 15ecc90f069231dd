package import AMQP

/// Where a publisher's tasks come from, and where their results are reported.
package protocol TaskSource: ~Copyable {
  /// The next task, as far as there is one without waiting.
  mutating func next() -> SourceItem
  /// Reports the result of a task, exactly once for each.
  mutating func settled(_ task: PublishTask, _ result: PublishResult)
}

/// A task to be published; an object, because it is passed on many times.
package final class PublishTask: Equatable, Sendable {
  /// The source's own number for it.
  package let number: Int
  package let envelope: Envelope

  package init(number: Int, _ envelope: Envelope) {
    self.number = number
    self.envelope = envelope
  }

  package static func == (one: PublishTask, other: PublishTask) -> Bool {
    one.number == other.number && one.envelope == other.envelope
  }
}

/// What a source has at the moment.
package enum SourceItem: Equatable, Sendable {
  case task(PublishTask)
  /// None yet: this descriptor becomes readable when there may be one.
  case wait(descriptor: Int32)
  case end
}

/// The result of publishing a task.
package enum PublishResult: Equatable, Sendable {
  /// A queue has it.
  case published
  case failed(PublishFailure)
}

/// Why a task was not published, or is not known to be.
package struct PublishFailure: Error, Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    /// It is unroutable or too large, or the broker refused it for what it is.
    case refused
    /// Its queue does not exist, and was not to be created.
    case noQueue
    /// The connection failed in this way before its confirm came.
    case connection(AMQPError.Kind)
  }

  package let kind: Kind
  package let reason: String

  package init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }
}
