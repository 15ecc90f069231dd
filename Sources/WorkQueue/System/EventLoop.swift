internal import AMQP
internal import Glibc

/// The only place that waits: for descriptors, including those for signals and children, and for deadlines.
///
/// It is filled again for every wait, without allocating memory.
struct EventLoop {
  private var entries: [pollfd] = []
  /// The descriptors that were readable, writable, at their end or in error at the last wait.
  private(set) var ready = DescriptorSet()

  mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
  }

  /// Adds a descriptor to wait for until it is readable or writable; nil is ignored.
  mutating func watch(_ descriptor: Int32?, forReading: Bool = true, forWriting: Bool = false) {
    guard let descriptor else { return }
    let events = (forReading ? POLLIN : 0) | (forWriting ? POLLOUT : 0)
    entries.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
  }

  /// Waits until one of them is ready or `deadline` passes.
  mutating func wait(until deadline: Deadline) {
    let count = nfds_t(entries.count)
    // A signal interrupts the wait and makes a descriptor ready: poll again to see which.
    while unsafe poll(&entries, count, deadline.pollMilliseconds) < 0 && errno == EINTR {}
    ready.removeAll()
    for entry in entries where entry.revents != 0 { ready.insert(entry.fd) }
  }

  func isReady(_ descriptor: Int32) -> Bool { ready.contains(descriptor) }

  /// Waits for a connection that is being opened.
  ///
  /// - Throws: `interrupted`.
  static func wait(
    for descriptor: Int32?, writing: Bool, until deadline: Deadline, _ operation: String
  ) throws(AMQPError) {
    var loop = EventLoop()
    loop.watch(descriptor, forWriting: writing)
    loop.watch(Interruption.attempt)
    loop.wait(until: deadline)
    guard !loop.isReady(Interruption.attempt) else {
      throw AMQPError(.interrupted, operation, "a signal arrived")
    }
  }

  /// Waits until one of the descriptors is readable, `writable` is writable, or `deadline` passes; negative
  /// descriptors are ignored.
  static func wait(for descriptors: [Int32] = [], writable: Int32 = -1, until deadline: Deadline) {
    var loop = EventLoop()
    for descriptor in descriptors { loop.watch(descriptor) }
    loop.watch(writable, forReading: false, forWriting: true)
    loop.wait(until: deadline)
  }
}
