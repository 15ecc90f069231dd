internal import AMQP
internal import Glibc

/// The one place where a loop waits.
enum Poll {
  /// Waits until one of the descriptors can be read, a signal arrives, or `deadline` comes.
  ///
  /// Who calls looks at everything anyway, so it is not told which of these it was.
  static func wait(for descriptors: [Int32], until deadline: Deadline) {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    unsafe poll(&entries, nfds_t(entries.count), deadline.pollMilliseconds)
  }
}
