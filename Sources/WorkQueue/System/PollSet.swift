internal import AMQP
internal import Glibc

/// Descriptors to wait for, filled anew for every wait, without taking memory for it.
struct PollSet {
  private var entries: [pollfd] = []

  mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
  }

  /// Adds one that is waited for until it can be read, or also until it can be written.
  mutating func add(_ descriptor: Int32, orWritable: Bool = false) {
    let events = Int16(orWritable ? POLLIN | POLLOUT : POLLIN)
    entries.append(pollfd(fd: descriptor, events: events, revents: 0))
  }

  /// Waits until one of them is ready or `deadline` comes.
  mutating func wait(until deadline: Deadline) {
    let count = nfds_t(entries.count)
    // A signal interrupts the wait and makes one of the descriptors ready: another look tells which.
    while unsafe poll(&entries, count, deadline.pollMilliseconds) < 0 && errno == EINTR {}
  }

  /// Whether the descriptor, one of those added, had something to read, its end or an error.
  func isReady(_ descriptor: Int32) -> Bool {
    entries.contains { $0.fd == descriptor && $0.revents != 0 }
  }
}
