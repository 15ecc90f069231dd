internal import AMQP

/// A queue in which tasks of a work queue wait, all for the same time, until the broker dead-letters them to it.
///
/// There is one per delay, because a queue expires only the task at its head. It is a quorum queue that dead-letters
/// at least once (RabbitMQ 3.10): it keeps a task until the work queue has confirmed it, so that a work queue that is
/// full, missing or on a stopped node delays the task and does not lose it.
package struct WaitingQueue: Hashable, Sendable {
  /// What the tasks in it wait for.
  package enum Purpose: String, Sendable {
    /// The next attempt, after one that failed.
    case retry
    /// The first attempt (`publish --delay`).
    case delay
  }

  /// The type that is declared.
  enum Form {
    /// A quorum queue that dead-letters at least once.
    case quorum
    /// A classic queue, which dead-letters at most once, for brokers without the former.
    case classic
  }

  /// The longest time that a queue can hold a task: RabbitMQ counts milliseconds in 32 bits.
  package static let longestDelay = Duration.milliseconds(UInt32.max)
  package static let longestDelayInDays = Int(longestDelay / .seconds(86_400))

  /// For longer delays `x-expires` would exceed 32 bits.
  private static let longestDelayWithExpiry = Duration.seconds(35 * 86_400)
  /// Publishers use a queue's name for a week; another week is a margin.
  private static let expiryMargin = Duration.seconds(14 * 86_400)

  package let workQueue: String
  package let purpose: Purpose
  /// How long a task waits in it, in milliseconds.
  package let milliseconds: Int64
  /// The week in which tasks are published to it; nil for a queue that never expires.
  package let week: ISOWeek?

  /// The queue in which a task waits for its next attempt.
  ///
  /// There are few different retry delays, so these queues never expire.
  package static func retry(of workQueue: String, after delay: Duration) -> WaitingQueue {
    WaitingQueue(workQueue: workQueue, purpose: .retry, milliseconds: delay.milliseconds, week: nil)
  }

  /// The queue in which a task waits that is published in `week` with a delay.
  ///
  /// Publishing does not renew a quorum queue's `x-expires`, and an expiring queue loses its tasks. So each week has
  /// its own queue, which expires long after all its tasks are due.
  package static func delay(of workQueue: String, by delay: Duration, in week: ISOWeek) -> WaitingQueue {
    WaitingQueue(
      workQueue: workQueue, purpose: .delay, milliseconds: delay.milliseconds,
      week: delay > longestDelayWithExpiry ? nil : week)
  }

  package var name: String {
    let week = week.map { ".\($0)" } ?? ""
    return "\(workQueue).\(purpose.rawValue).\(milliseconds)ms\(week)"
  }

  /// The name of workq 1.0's queue for the same delay.
  package var formerName: String { "\(workQueue).\(purpose.rawValue).\(milliseconds)" }

  func queue(_ form: Form) -> Queue {
    var queue = Queue(name: name)
    queue.arguments = arguments
    switch form {
    case .quorum:
      queue.arguments["x-queue-type"] = .text("quorum")
      queue.arguments["x-dead-letter-strategy"] = .text("at-least-once")
      // Without this, the broker dead-letters at most once.
      queue.arguments["x-overflow"] = .text("reject-publish")
    case .classic:
      // The virtual host's default type may be another.
      queue.arguments["x-queue-type"] = .text("classic")
    }
    if week != nil {
      queue.arguments["x-expires"] = .int64(milliseconds + Self.expiryMargin.milliseconds)
    }
    return queue
  }

  /// The queue as workq 1.0 declares it if classic is the default type.
  ///
  /// A delay queue expires an hour plus its delay after the last declare.
  var formerQueue: Queue {
    var queue = Queue(name: formerName)
    queue.arguments = arguments
    queue.arguments["x-queue-type"] = .text("classic")
    if purpose == .delay {
      let expiry = milliseconds + Self.formerExpiryMargin.milliseconds
      queue.arguments["x-expires"] = .int64(min(expiry, Self.longestDelay.milliseconds))
    }
    return queue
  }

  private static let formerExpiryMargin = Duration.seconds(3600)

  private var arguments: FieldTable {
    [
      "x-message-ttl": .int64(milliseconds), "x-dead-letter-exchange": .text(""),
      "x-dead-letter-routing-key": .text(workQueue),
    ]
  }
}

extension Duration {
  /// Whole milliseconds, rounded down.
  package var milliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
