internal import AMQP

/// When a worker leaves by itself.
package struct Bounds: Equatable, Sendable {
  /// After so many tasks.
  package var count: Int?
  /// As soon as nothing waits and nothing runs.
  package var drains = false
  /// After so long without a task.
  package var idleTimeout: Duration?
  /// After so long.
  package var maxTime: Duration?
  /// Whether a drain waits for the retries that this worker has scheduled.
  package var waitsForRetries = false

  package init() {}

  /// Whether the run has an end of its own, and so an exit code that tells how the tasks went.
  package var isBounded: Bool { count != nil || drains || idleTimeout != nil || maxTime != nil }

  /// The prefetch that brings no more tasks than will be begun; 0 is no limit.
  func prefetch(_ wanted: UInt16) -> UInt16 {
    guard let count, count > 0, count <= Int(UInt16.max) else { return wanted }
    return wanted == 0 ? UInt16(count) : min(wanted, UInt16(count))
  }
}
