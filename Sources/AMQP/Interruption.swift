internal import Glibc
internal import Synchronization

/// Descriptors that end the waits of all connections early; -1 is none.
///
/// Signals belong to the process, and so do these. Whoever catches signals sets them: `attempt` is readable when a
/// signal has arrived, `request` when so many have arrived that nothing may be waited for any more.
package enum Interruption {
  private static let attemptDescriptor = Atomic<Int32>(-1)
  private static let requestDescriptor = Atomic<Int32>(-1)

  /// Ends attempts to connect and log in.
  package static var attempt: Int32 {
    get { attemptDescriptor.load(ordering: .relaxed) }
    set { attemptDescriptor.store(newValue, ordering: .relaxed) }
  }

  /// Ends requests on a connection that stands.
  package static var request: Int32 {
    get { requestDescriptor.load(ordering: .relaxed) }
    set { requestDescriptor.store(newValue, ordering: .relaxed) }
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
        if unsafe entries[1].revents != 0 { throw AMQPError(.interrupted, operation, "a signal arrived") }
        return true
      }
    }
  }
}
