package import AMQP

extension Mover {
  /// Between which queues tasks are moved, and which of them.
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    package var source: String
    package var target: String
    /// How many tasks at most; nil is all that wait at the start.
    package var limit: Int?
    /// What a task's headers must hold for it to be moved.
    package var matches: [HeaderMatch] = []
    /// The message ids of the only tasks to be moved; empty for all.
    package var ids: Set<String> = []
    /// Whether a task remembers how often it was tried.
    package var keepsAttempts = false
    /// How long the broker may take to answer.
    package var timeout = Duration.seconds(30)

    package init(addresses: [Address], connection: Connection.Options, source: String, target: String) {
      self.addresses = addresses
      self.connection = connection
      self.source = source
      self.target = target
    }

    /// Whether only some tasks are to be moved.
    var chooses: Bool { !matches.isEmpty || !ids.isEmpty }

    /// Whether a task is one of those to be moved.
    package func selects(_ message: Message) -> Bool {
      guard ids.isEmpty || message.properties.messageID.map(ids.contains) == true else { return false }
      return matches.allSatisfy { $0.matches(message) }
    }
  }

  package static func missingSource(_ options: Options) -> AMQPError {
    AMQPError(.notFound, "move from queue '\(options.source)'", "there is no such queue")
  }

  static func missingTarget(_ options: Options) -> AMQPError {
    AMQPError(.notFound, "move to queue '\(options.target)'", "there is no such queue")
  }

  /// Fails when the target is missing, as a move would.
  package static func checkTarget(_ options: Options, _ connection: inout Connection) throws(AMQPError) {
    guard try connection.status(ofQueue: options.target) != nil else { throw missingTarget(options) }
  }

  /// Why a move has come to its end.
  package enum ExitReason: Equatable, Sendable {
    /// All that was to be moved was moved.
    case complete
    /// The target would not have a task, for the broker's reason.
    case refused(reason: String)
    /// Stopped by a signal, with everything settled or requeued.
    case stopped(signal: Int32)
    /// Stopped by a second signal, with copies unconfirmed.
    case killed(signal: Int32)
  }

  /// What has become of the tasks.
  package struct Balance: Equatable, Sendable {
    /// In the target only.
    package let moved: Int
    /// Looked at, and left where they are.
    package let left: Int
    /// Their copies are unconfirmed: if it ended now, they might be in both queues.
    package let uncertain: Int
    /// Whether those that were left have had a delivery counted (a quorum queue's).
    package let countsDeliveries: Bool
    /// How many of those that were left had come back often, and were replaced by copies at the queue's end.
    package let replaced: Int
  }
}

/// What happens during a move.
package enum MoverEvent: Equatable, Sendable {
  case moved(Int, of: Int)
  /// The broker blocks publishers; the move waits for `timeout` at most.
  case blocked(reason: String, timeout: Duration)
  case unblocked
  /// A signal came; this number of copies is unconfirmed.
  case stopping(unconfirmed: Int)
}
