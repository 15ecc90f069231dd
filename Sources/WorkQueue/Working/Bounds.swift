internal import AMQP

/// When a worker exits by itself.
package struct Bounds: Equatable, Sendable {
  /// After this number of tasks.
  package var count: Int?
  /// As soon as no task waits and none runs.
  package var drains = false
  /// After this time without a task.
  package var idleTimeout: Duration?
  /// After this time.
  package var maxTime: Duration?
  /// Whether a drain waits for the retries that this worker has scheduled.
  package var waitsForRetries = false

  package init() {}

  /// Whether the run is bounded, so that its exit code depends on the tasks' results.
  package var isBounded: Bool { count != nil || drains || idleTimeout != nil || maxTime != nil }

  /// The prefetch that receives no more tasks than will be started; 0 means no limit.
  func prefetch(_ wanted: UInt16) -> UInt16 {
    guard let count, count > 0, count <= Int(UInt16.max) else { return wanted }
    return wanted == 0 ? UInt16(count) : min(wanted, UInt16(count))
  }
}
