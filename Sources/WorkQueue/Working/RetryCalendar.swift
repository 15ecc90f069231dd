internal import AMQP

/// The retries that this worker has scheduled, and when they are due.
///
/// A task that returns to this worker is removed. A task that does not return was taken by another worker, or is late
/// because its queue is full: it is expected for a while after its time, and then removed.
struct RetryCalendar {
  /// A task returns a little later than its time.
  private static let slack = Duration.seconds(1)
  /// How long a task is expected after its time by a drain that waits for retries.
  private static let gracePeriod = Duration.seconds(10)

  /// Identifies the copies of tasks: message ids are optional and need not be unique.
  struct Key: Hashable {
    let hash: Int

    /// - Parameter task: with the number of its attempts in the headers.
    init(_ task: Message) {
      var hasher = Hasher()
      hasher.combine(task.properties.messageID)
      hasher.combine(task.properties.headers?.count(TaskHeaders.attempts) ?? 0)
      hasher.combine(task.body)
      hash = hasher.finalize()
    }
  }

  private var dueTimes: [Key: [Deadline]] = [:]
  private var count = 0
  /// Above this number, those that are no longer expected are removed.
  private var cleanUpAt = 1000

  private var moments: some Sequence<Deadline> { dueTimes.values.lazy.joined() }

  mutating func add(_ task: Message, after delay: Duration) {
    let now = Deadline.now
    dueTimes[Key(task), default: []].append(now + delay)
    count += 1
    guard count > cleanUpAt else { return }
    for (key, times) in dueTimes {
      let rest = times.filter { $0 + Self.gracePeriod > now }
      dueTimes[key] = rest.isEmpty ? nil : rest
    }
    count = dueTimes.values.reduce(0) { $0 + $1.count }
    cleanUpAt = max(1000, 2 * count)
  }

  /// The task has returned to this worker.
  mutating func remove(_ task: Message) {
    guard count > 0, task.properties.headers?[TaskHeaders.attempts] != nil else { return }
    let key = Key(task)
    guard var times = dueTimes[key] else { return }
    times.removeFirst()
    dueTimes[key] = times.isEmpty ? nil : times
    count -= 1
  }

  /// Number of retries due after `now`.
  func scheduled(after now: Deadline = .now) -> Int { moments.count { $0 > now } }

  /// Whether one of them is due within `timeout` from `now`.
  func expects(within timeout: Duration, from now: Deadline = .now) -> Bool {
    let last = now + timeout
    return moments.contains { $0 + Self.slack > now && $0 <= last }
  }

  /// When the next of them after `now` has returned.
  func next(after now: Deadline = .now) -> Deadline {
    moments.map { $0 + Self.slack }.filter { $0 > now }.min() ?? .never
  }

  /// Until when the next of them is expected; nil when none is.
  func nextExpected(from now: Deadline = .now) -> Deadline? {
    moments.map { $0 + Self.gracePeriod }.filter { $0 > now }.min()
  }
}
