package import AMQP

/// Where a publisher's tasks come from, and who is told what became of them.
package protocol TaskSource: ~Copyable {
  /// The next task, as far as there is one without waiting.
  mutating func next() -> Supply
  /// What became of a task; each one's fate is told exactly once.
  mutating func settled(_ task: PublishTask, _ fate: Fate)
}

/// A task on its way into a queue; an object, because it goes through many hands.
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
package enum Supply: Equatable, Sendable {
  case task(PublishTask)
  /// None yet: this descriptor becomes readable when there may be one.
  case wait(descriptor: Int32)
  case end
}

/// What has become of a task.
package enum Fate: Equatable, Sendable {
  /// A queue has it.
  case published
  case failed(PublishFailure)
}

/// Why a task was not published, or is not known to be.
package struct PublishFailure: Error, Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    /// No queue would take it, it is too large, or the broker refused it for what it is.
    case refused
    /// Its queue does not exist, and was not to be made.
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
