internal import Glibc
internal import Synchronization

/// Descriptors that end the waits of all connections early; -1 means none.
///
/// They are global because signals are. The signal handler's owner sets them: `attempt` becomes readable when a
/// signal has arrived, `request` when one has arrived that ends all waits.
package enum Interruption {
  /// How long to wait for a reply after the signal that ends requests: timeout(1) sends its signal twice at once, and
  /// a broker that answers needs only a moment.
  private static let grace = Duration.milliseconds(500)

  private static let attemptDescriptor = Atomic<Int32>(-1)
  private static let requestDescriptor = Atomic<Int32>(-1)
  /// When requests end, in nanoseconds of the monotonic clock; 0 means unknown.
  private static let endNanoseconds = Atomic<Int64>(0)

  /// Ends attempts to connect and log in.
  package static var attempt: Int32 { attemptDescriptor.load(ordering: .relaxed) }

  /// Ends requests on an open connection.
  static var request: Int32 { requestDescriptor.load(ordering: .relaxed) }

  /// Sets the descriptors.
  package static func begin(attempt: Int32, request: Int32) {
    attemptDescriptor.store(attempt, ordering: .relaxed)
    requestDescriptor.store(request, ordering: .relaxed)
    endNanoseconds.store(0, ordering: .relaxed)
  }

  /// Must be called before `request` becomes readable.
  ///
  /// Async-signal-safe.
  package static func endRequests() {
    endNanoseconds.store((.now + grace as Deadline).nanoseconds, ordering: .relaxed)
  }

  /// Whether requests have ended.
  package static var hasEndedRequests: Bool { requestsEnd.hasPassed }

  /// When requests end; `never` before the signal.
  package static var requestsEnd: Deadline {
    let nanoseconds = endNanoseconds.load(ordering: .relaxed)
    return nanoseconds == 0 ? .never : Deadline(nanoseconds: nanoseconds)
  }

  /// Waits until `descriptor` is ready for `events` (POLLIN, POLLOUT).
  ///
  /// - Returns: whether it is; false when `deadline` has passed.
  /// - Throws: `interrupted` when `interrupt` is readable.
  static func wait(
    for descriptor: Int32, _ events: Int32, orInterrupt interrupt: Int32, until deadline: Deadline,
    _ operation: String
  ) throws(AMQPError) -> Bool {
    try unsafe withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { entries throws(AMQPError) in
      unsafe entries[0] = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      unsafe entries[1] = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
      while true {
        let ready = unsafe poll(entries.baseAddress, 2, deadline.pollMilliseconds)
        if ready < 0 && errno == EINTR { continue }
        guard ready >= 0 else { throw AMQPError(code: errno, .lost, operation) }
        if ready == 0 { return false }
        guard unsafe entries[1].revents != 0 else { return true }
        guard interrupt == request, !requestsEnd.hasPassed else {
          throw AMQPError(.interrupted, operation, "a signal arrived")
        }
        if unsafe entries[0].revents != 0 { return true }
        // The grace period starts here.
        guard unsafe poll(entries.baseAddress, 1, min(deadline, requestsEnd).pollMilliseconds) <= 0 else {
          return true
        }
      }
    }
  }
}
