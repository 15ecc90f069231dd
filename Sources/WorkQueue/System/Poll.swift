internal import AMQP
internal import Glibc

/// The one place where a loop waits.
enum Poll {
  /// Waits until one of the descriptors can be read, or `writable` written, a signal arrives, or `deadline`
  /// comes; a negative descriptor is none.
  ///
  /// Who calls looks at everything anyway, so it is not told which of these it was.
  static func wait(for descriptors: [Int32], writable: Int32 = -1, until deadline: Deadline) {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    if writable >= 0 { entries.append(pollfd(fd: writable, events: Int16(POLLOUT), revents: 0)) }
    unsafe poll(&entries, nfds_t(entries.count), deadline.pollMilliseconds)
  }
}
