package import AMQP

extension Mover {
  /// The two queues, and which tasks to move.
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    package var source: String
    package var target: String
    /// Maximum number of tasks to move; nil means all that wait at the start.
    package var limit: Int?
    /// Headers that a task must have to be moved.
    package var matches: [HeaderMatch] = []
    /// Message IDs of the tasks to move; empty means any.
    package var ids: Set<String> = []
    /// Whether a task keeps its count of attempts.
    package var keepsAttempts = false
    /// Time limit for the broker's replies.
    package var timeout = Duration.seconds(30)

    package init(addresses: [Address], connection: Connection.Options, source: String, target: String) {
      self.addresses = addresses
      self.connection = connection
      self.source = source
      self.target = target
    }

    /// Whether only some tasks are selected.
    var chooses: Bool { !matches.isEmpty || !ids.isEmpty }

    /// Whether a task is selected.
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

  /// Throws the same error as a move when the target is missing.
  package static func checkTarget(_ options: Options, _ connection: inout Connection) throws(AMQPError) {
    guard try connection.status(ofQueue: options.target) != nil else { throw missingTarget(options) }
  }

  /// Why a move ended.
  package enum ExitReason: Equatable, Sendable {
    /// All selected tasks were moved.
    case complete
    /// The target did not accept a task, for the broker's reason.
    case refused(reason: String)
    /// Stopped by a signal, with everything settled or requeued.
    case stopped(signal: Int32)
    /// Stopped by a second signal, with copies unconfirmed.
    case killed(signal: Int32)
  }

  /// What became of the tasks.
  package struct Balance: Equatable, Sendable {
    /// Tasks that are in the target only.
    package let moved: Int
    /// Tasks that were received and stay in the source.
    package let left: Int
    /// Tasks whose copies are unconfirmed: if the move ended now, they might be in both queues.
    package let uncertain: Int
    /// Whether the broker counted a delivery of the tasks that stay (in a quorum queue).
    package let countsDeliveries: Bool
    /// Number of tasks that stay, were returned often, and were replaced by copies at the queue's end.
    package let replaced: Int
  }
}

/// Events of a move.
package enum MoverEvent: Equatable, Sendable {
  case moved(Int, of: Int)
  /// The broker blocks publishers; the move waits for `timeout` at most.
  case blocked(reason: String, timeout: Duration)
  case unblocked
  /// A signal arrived; this number of copies is unconfirmed.
  case stopping(unconfirmed: Int)
}
