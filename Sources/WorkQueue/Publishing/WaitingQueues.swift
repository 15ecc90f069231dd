internal import AMQP

/// Something about waiting queues or the failed queue that users should know.
package enum WaitingQueueEvent: Equatable, Sendable {
  /// The broker refuses quorum queues like this one, for the reason it gives: a classic one is used.
  case isClassic(queue: String, reason: String)
  /// The user may not configure the queue, for the reason the broker gives: 1.0's is used.
  case usesFormerName(queue: String, former: String, reason: String)
}

/// Declares the queues in which tasks wait, and the failed queue, once on each connection.
///
/// 1. They are quorum queues where the broker has them, whatever the work queue is.
/// 2. They are classic only where the broker refuses the type or an argument: a timeout or a lost majority
///    passes, and then the next attempt must find the better queue.
/// 3. Where the user lacks a right on the new name, and has it on 1.0's, that is used.
/// 4. An existing failed queue is used as it is.
struct WaitingQueues {
  /// A queue that this connection has declared.
  private struct Declared {
    let name: String
    /// When it must be declared again before another task is published to it.
    let expiry: Deadline
  }

  /// 1.0's delay queues are declared again after this time, well before they expire.
  private static let formerLease = Duration.seconds(600)

  private var declared: [WaitingQueue: Declared] = [:]
  private var declaredFailedQueues: Set<String> = []
  /// Whether the broker has refused a quorum queue on this connection.
  private var hasNoQuorumQueues = false
  private var hasReportedClassic = false
  private var hasReportedFormerName = false

  /// Forgets what was declared: the connection is new, or a queue turned out to be missing.
  mutating func forget() {
    (declared, declaredFailedQueues, hasNoQuorumQueues) = ([:], [], false)
  }

  /// The name that a queue was declared by on this connection; nil when it must be declared first.
  func name(of queue: WaitingQueue) -> String? {
    guard let found = declared[queue], !found.expiry.hasPassed else { return nil }
    return found.name
  }

  /// Declares a waiting queue if this connection has not done so.
  ///
  /// - Returns: the name to publish to.
  /// - Throws: `preconditionFailed` when a queue of the name exists with other properties; `accessRefused`.
  mutating func declare(
    _ queue: WaitingQueue, on pipeline: inout Pipeline?, _ report: (WaitingQueueEvent) -> Void
  ) throws(AMQPError) -> String {
    if let name = name(of: queue) { return name }
    do throws(AMQPError) {
      try declare(queue.queue(.quorum), orElse: queue.queue(.classic), on: &pipeline, report)
      declared[queue] = Declared(name: queue.name, expiry: .never)
      return queue.name
    } catch  where error.kind == .accessRefused {
      try declareFormer(queue, refusal: error, on: &pipeline, report)
      declared[queue] = Declared(
        name: queue.formerName, expiry: queue.purpose == .delay ? .after(Self.formerLease) : .never)
      return queue.formerName
    }
  }

  /// Makes sure that a failed queue exists.
  ///
  /// - Throws: `accessRefused`, and what ends a connection.
  mutating func declareFailedQueue(
    _ name: String, on pipeline: inout Pipeline?, _ report: (WaitingQueueEvent) -> Void
  ) throws(AMQPError) {
    guard !declaredFailedQueues.contains(name) else { return }
    if try pipeline?.status(ofQueue: name) == nil {
      let version = BrokerVersion(broker: pipeline?.broker ?? "")
      do throws(AMQPError) {
        try declare(
          Self.failedQueue(name, on: version), orElse: Self.classicFailedQueue(name), on: &pipeline, report)
      } catch  where error.kind == .preconditionFailed {
        // Unless something else is wrong, another program has declared it in the meantime, and differently.
        guard try pipeline?.status(ofQueue: name) != nil else { throw error }
      }
    }
    declaredFailedQueues.insert(name)
  }

  /// A failed queue that no number of looks can empty.
  ///
  /// From 4.0 on, quorum queues drop a task after 20 deliveries, of which a look is one, unless told
  /// otherwise. Before 4.0 there is no such limit, and -1 is one that is reached at once.
  static func failedQueue(_ name: String, on version: BrokerVersion?) -> Queue {
    var queue = Queue(name: name)
    queue.arguments["x-queue-type"] = .text("quorum")
    if let version, version >= BrokerVersion(4, 0) { queue.arguments["x-delivery-limit"] = .int64(-1) }
    return queue
  }

  private static func classicFailedQueue(_ name: String) -> Queue {
    var queue = Queue(name: name)
    queue.arguments["x-queue-type"] = .text("classic")
    return queue
  }

  // MARK: What a broker refuses

  private mutating func declare(
    _ queue: Queue, orElse classic: Queue, on pipeline: inout Pipeline?, _ report: (WaitingQueueEvent) -> Void
  ) throws(AMQPError) {
    if hasNoQuorumQueues {
      _ = try pipeline?.declare(classic)
      return
    }
    do throws(AMQPError) {
      _ = try pipeline?.declare(queue)
    } catch  where Self.isRefusal(error) {
      if error.kind != .preconditionFailed { try pipeline?.reopen() }
      _ = try pipeline?.declare(classic)
      // That it exists, and is classic, says nothing of other queues.
      hasNoQuorumQueues = PropertyMismatch(error) == nil
      if !hasReportedClassic { report(.isClassic(queue: queue.name, reason: error.detail)) }
      hasReportedClassic = true
    }
  }

  /// Whether the broker does not have the type, or an argument, or has the queue with others.
  private static func isRefusal(_ error: AMQPError) -> Bool {
    error.kind == .preconditionFailed || error.kind == .unsupported
  }

  private mutating func declareFormer(
    _ queue: WaitingQueue, refusal: AMQPError, on pipeline: inout Pipeline?,
    _ report: (WaitingQueueEvent) -> Void
  ) throws(AMQPError) {
    do throws(AMQPError) {
      _ = try pipeline?.declare(queue.formerQueue)
    } catch  where !error.isTransient {
      throw refusal
    }
    guard !hasReportedFormerName else { return }
    hasReportedFormerName = true
    report(.usesFormerName(queue: queue.name, former: queue.formerName, reason: refusal.detail))
  }
}
