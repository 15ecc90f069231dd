package import AMQP

/// Where a publisher's tasks come from, and where their results are reported.
package protocol TaskSource: ~Copyable {
  /// The next task, if there is one without waiting.
  mutating func next() -> SourceItem
  /// Reports the result of a task, exactly once for each.
  mutating func settled(_ task: PublishTask, _ result: PublishResult)
}

/// A task to be published; a class, because it is passed on many times.
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

/// The state of a source.
package enum SourceItem: Equatable, Sendable {
  case task(PublishTask)
  /// None yet: this descriptor becomes readable when there may be one.
  case wait(descriptor: Int32)
  case end
}

/// The result of publishing a task.
package enum PublishResult: Equatable, Sendable {
  /// Confirmed, and routed to a queue.
  case published
  case failed(PublishFailure)
}

/// Why a task was not published, or is not known to be.
package struct PublishFailure: Error, Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    /// It is unroutable or too large, or the broker refused it because of the task itself.
    case refused
    /// Its queue does not exist, and must not be created.
    case noQueue
    /// The connection failed with this error before its confirm arrived.
    case connection(AMQPError.Kind)
  }

  package let kind: Kind
  package let reason: String

  package init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }
}
