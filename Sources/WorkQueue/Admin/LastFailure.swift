package import AMQP

/// The last failure of a parked or dead-lettered task, from its headers.
package struct LastFailure: Equatable, Sendable {
  /// Why it failed, for messages; nil when no header says so.
  package let reason: String?
  package let exitStatus: Int?
  package let signal: Int?
  /// Number of runs of the command.
  package let attempts: Int
  /// When it failed last, in seconds since 1970.
  package let time: UInt64?

  package init(_ headers: FieldTable?) {
    exitStatus = headers?[TaskHeaders.exitStatus]?.plain.flatMap { Int($0) }
    signal = headers?[TaskHeaders.signal]?.plain.flatMap { Int($0) }
    attempts = headers?.count(TaskHeaders.attempts) ?? 0
    let dead = DeadLetter.history(headers).first
    time = headers?[TaskHeaders.lastFailure]?.seconds ?? dead?.time
    let recorded = headers?[TaskHeaders.reason]?.plain
    reason =
      Self.ownWords(recorded, exitStatus) ?? exitStatus.map { "exit status \($0)" } ?? signal.map {
        Outcome.signalled(Int32(clamping: $0)).description
      }
      ?? recorded.map(Self.current) ?? dead?.cause
  }

  /// The reason that the command wrote to its result channel in addition to its exit status.
  private static func ownWords(_ recorded: String?, _ exitStatus: Int?) -> String? {
    exitStatus == nil || recorded?.hasPrefix("exit status ") == true ? nil : recorded
  }

  /// A reason as workers record it now; workq 1.0 used another text.
  private static func current(_ reason: String) -> String {
    let (prefix, suffix) = ("ended after its time limit of ", " s")
    guard reason.hasPrefix(prefix), reason.hasSuffix(suffix),
      let seconds = Double(reason.dropFirst(prefix.count).dropLast(suffix.count)), seconds < 1e9
    else { return reason }
    return Outcome.timedOut(.seconds(seconds)).description
  }
}

/// One entry of a message's `x-death`: how often a queue has dead-lettered it for one reason.
package struct DeadLetter: Equatable, Sendable {
  package let queue: String
  /// The broker's reason: "expired", "rejected", "maxlen" or "delivery_limit".
  package let reason: String
  package let count: Int
  /// The first time, in seconds since 1970.
  package let time: UInt64?

  /// The valid entries, the last event first.
  package static func history(_ headers: FieldTable?) -> [DeadLetter] {
    guard case .array(let entries) = headers?["x-death"] else { return [] }
    return entries.compactMap { entry in
      guard case .table(let table) = entry, let queue = table["queue"]?.text,
        let reason = table["reason"]?.text
      else { return nil }
      return DeadLetter(
        queue: queue, reason: reason, count: max(1, table.count("count")), time: table["time"]?.seconds)
    }
  }

  /// Why the broker dead-lettered the task, for messages.
  package var cause: String {
    switch reason {
    case "expired": "expired in '\(queue)'"
    case "rejected": "rejected by a consumer of '\(queue)'"
    case "maxlen": "'\(queue)' was full"
    case "delivery_limit": "delivered too often in '\(queue)'"
    default: "dead-lettered by '\(queue)': \(reason)"
    }
  }
}

extension FieldValue {
  fileprivate var seconds: UInt64? {
    switch self {
    case .timestamp(let seconds): seconds
    default: nil
    }
  }
}
