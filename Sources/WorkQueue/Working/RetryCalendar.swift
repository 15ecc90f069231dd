internal import AMQP

/// The retries that this worker has scheduled, and when they return.
///
/// A task that comes back to this worker is taken out. One that does not was taken by another worker, or is late
/// because its queue is full: it is expected for a while after its time, and then forgotten.
struct RetryCalendar {
  /// A task comes back a little later than its time.
  private static let slack = Duration.seconds(1)
  /// How long a task is expected after its time by a drain that waits for retries.
  private static let gracePeriod = Duration.seconds(10)

  /// Tells the copies of tasks apart: an id need not be there, nor be the only one of its kind.
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
  /// With more than this number, those that are not expected any more are forgotten.
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

  /// The task has come back to this worker.
  mutating func remove(_ task: Message) {
    guard count > 0, task.properties.headers?[TaskHeaders.attempts] != nil else { return }
    let key = Key(task)
    guard var times = dueTimes[key] else { return }
    times.removeFirst()
    dueTimes[key] = times.isEmpty ? nil : times
    count -= 1
  }

  /// How many tasks wait for their retry after `now`.
  func scheduled(after now: Deadline = .now) -> Int { moments.count { $0 > now } }

  /// Whether one of them comes back in `timeout` from `now` at the latest.
  func expects(within timeout: Duration, from now: Deadline = .now) -> Bool {
    let last = now + timeout
    return moments.contains { $0 + Self.slack > now && $0 <= last }
  }

  /// When the next of them after `now` is back.
  func next(after now: Deadline = .now) -> Deadline {
    moments.map { $0 + Self.slack }.filter { $0 > now }.min() ?? .never
  }

  /// Until when the next of them is expected; nil when none is.
  func nextExpected(from now: Deadline = .now) -> Deadline? {
    moments.map { $0 + Self.gracePeriod }.filter { $0 > now }.min()
  }
}
