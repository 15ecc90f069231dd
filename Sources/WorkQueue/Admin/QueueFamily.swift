/// The version of workq whose names of waiting queues are also looked up.
private let formerVersion = "1.0"

/// A work queue with the queues for its waiting tasks: those to be retried, delayed and failed ones.
package struct QueueFamily: Equatable, Sendable {
  /// What the tasks in a queue wait for.
  package enum Role: Equatable, Sendable {
    case work
    /// Failed tasks wait this long before the next attempt.
    case retry(Duration)
    /// Tasks wait this long before the first attempt.
    case delay(Duration)
    /// Tasks that are not retried.
    case failed
  }

  /// A queue of the family.
  package struct Member: Equatable, Sendable {
    package let name: String
    package let role: Role
    /// Distinguishes it from others of its role: the week of publishing, or the version that used the name.
    package let variant: String?
    /// A queue that workers declare before this one: if it is missing, this one is missing, too.
    package let predecessor: String?

    package init(name: String, role: Role, variant: String? = nil, predecessor: String? = nil) {
      (self.name, self.role) = (name, role)
      (self.variant, self.predecessor) = (variant, predecessor)
    }
  }

  package let queue: String
  package let members: [Member]

  /// - Parameters:
  ///   - queue: the work queue.
  ///   - retryDelays: the delays before its workers' retries, the shortest first.
  ///   - delays: the delays that tasks may have been published with.
  ///   - now: seconds since 1970, for the weeks in which waiting tasks may have been published.
  package init(queue: String, retryDelays: [Duration] = [], delays: [Duration] = [], now: Int) {
    self.queue = queue
    let retries = retryDelays.map { WaitingQueue.retry(of: queue, after: $0) }
    members =
      [Member(name: queue, role: .work)]
      + Self.ladder(retries.map(\.name), retryDelays, variant: nil)
      + Self.ladder(retries.map(\.formerName), retryDelays, variant: formerVersion)
      + delays.flatMap { Self.members(of: queue, delay: $0, now: now) }
      + [Member(name: "\(queue).failed", role: .failed)]
  }

  /// A task waits for the shortest delay first, then for each longer one.
  private static func ladder(_ names: [String], _ delays: [Duration], variant: String?) -> [Member] {
    zip(names, delays).enumerated().map { index, step in
      Member(
        name: step.0, role: .retry(step.1), variant: variant, predecessor: index > 0 ? names[index - 1] : nil)
    }
  }

  /// The queues in which tasks with this delay may wait now.
  private static func members(of queue: String, delay: Duration, now: Int) -> [Member] {
    let first = ISOWeek(secondsSince1970: now - Int(delay.components.seconds))
    let weeks = ISOWeek.weeks(from: first, to: ISOWeek(secondsSince1970: now))
    var queues: [WaitingQueue] = []
    for week in weeks {
      let found = WaitingQueue.delay(of: queue, by: delay, in: week)
      if !queues.contains(found) { queues.append(found) }
    }
    let members = queues.map {
      Member(name: $0.name, role: .delay(delay), variant: $0.week.map(\.description))
    }
    return members
      + queues.prefix(1).map { Member(name: $0.formerName, role: .delay(delay), variant: formerVersion) }
  }

  /// The queue alone, or with its failed queue: for checks, which should leave no lines in the broker's log.
  package init(checking queue: String, withFailed: Bool = false) {
    self.queue = queue
    let failed = Member(name: "\(queue).failed", role: .failed)
    members = [Member(name: queue, role: .work)] + (withFailed ? [failed] : [])
  }

  /// A worker's delays before retries: doubled each time, `longest` at most.
  package static func retryDelays(from first: Duration, upTo longest: Duration) -> [Duration] {
    guard first > .zero else { return [] }
    var delays: [Duration] = []
    var next = first
    while next < longest {
      delays.append(next)
      next = next * 2
    }
    return delays + [max(longest, .milliseconds(1))]
  }
}
