/// A work queue with the queues that tasks of it wait in: until they are tried again, until their time has
/// come, or for somebody to look at them.
package struct QueueFamily: Equatable, Sendable {
  /// What tasks wait for in a queue.
  package enum Role: Equatable, Sendable {
    case work
    /// Failed tasks wait there so long before the next attempt.
    case retry(Duration)
    /// Tasks wait there so long before the first.
    case delay(Duration)
    /// Tasks that will not be tried again.
    case failed
  }

  /// A queue of the family.
  package struct Member: Equatable, Sendable {
    package let name: String
    package let role: Role

    package init(name: String, role: Role) {
      (self.name, self.role) = (name, role)
    }
  }

  package let queue: String
  package let members: [Member]

  /// - Parameters:
  ///   - queue: the work queue.
  ///   - retryDelays: what its workers may wait before they try a task again.
  ///   - delays: what tasks may have been published with.
  package init(queue: String, retryDelays: [Duration] = [], delays: [Duration] = []) {
    self.queue = queue
    let retries = retryDelays.map {
      Member(name: "\(queue).retry.\($0.wholeMilliseconds)", role: .retry($0))
    }
    let later = delays.map { Member(name: "\(queue).delay.\($0.wholeMilliseconds)", role: .delay($0)) }
    members =
      [Member(name: queue, role: .work)] + retries + later
      + [Member(name: "\(queue).failed", role: .failed)]
  }

  /// The queue alone: for a check, which is to leave no traces in the broker's log.
  package init(checking queue: String) {
    self.queue = queue
    members = [Member(name: queue, role: .work)]
  }

  /// What a worker waits before it tries a task again: doubled each time, `longest` at most.
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

extension Duration {
  fileprivate var wholeMilliseconds: Int64 { Int64((self / .milliseconds(1)).rounded()) }
}
