internal import Glibc

/// A moment on the monotonic clock by which something must have happened; changes of the wall clock do not affect it.
package struct Deadline: Comparable, Sendable {
  /// Of the monotonic clock.
  let nanoseconds: Int64

  init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// The present moment.
  package static var now: Deadline {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Deadline(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  /// A moment that has passed.
  package static let past = Deadline(nanoseconds: 0)

  /// A moment that never comes.
  package static let never = Deadline(nanoseconds: .max)

  /// The moment `duration` from now; a duration too long to count in nanoseconds is `never`.
  package static func after(_ duration: Duration) -> Deadline { .now + duration }

  /// How long until then: zero when it has passed, nil when it never comes.
  package var remaining: Duration? {
    self == .never ? nil : .nanoseconds(max(0, nanoseconds - Deadline.now.nanoseconds))
  }

  /// How long ago it was, in nanoseconds.
  var age: Int64 { Deadline.now.nanoseconds - nanoseconds }

  package var hasPassed: Bool { self <= .now }

  package static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The moment `duration` later; a sum that overflows is `never`.
  package static func + (deadline: Deadline, duration: Duration) -> Deadline {
    let sum = Int128(deadline.nanoseconds) + duration.attoseconds / 1_000_000_000
    return Deadline(nanoseconds: Int64(clamping: sum))
  }

  /// The time from `earlier` to `later`.
  package static func - (later: Deadline, earlier: Deadline) -> Duration {
    .nanoseconds(later.nanoseconds - earlier.nanoseconds)
  }

  /// The time left for poll(2), in milliseconds: rounded up, so that a wait does not end just before the deadline and
  /// spin; -1 for `never`.
  package var pollMilliseconds: Int32 {
    guard self != .never else { return -1 }
    let left = max(0, nanoseconds - Deadline.now.nanoseconds)
    return Int32(min(left / 1_000_000 + (left % 1_000_000 > 0 ? 1 : 0), 1_000_000_000))
  }
}
