package import AMQP

/// The parked tasks of a queue, counted by the reason of their failure.
///
/// Its size does not depend on how many tasks there are.
package struct FailureSummary {
  /// Tasks that failed for the same reason.
  package struct Group {
    /// For messages; nil when the headers contain no reason.
    package let reason: String?
    package let exitStatus: Int?
    package let signal: Int?
    package internal(set) var tasks = 0
    /// When the first and the last of them failed, in seconds since 1970.
    package internal(set) var first: UInt64?
    package internal(set) var last: UInt64?
    /// The task that failed last.
    package internal(set) var sample: Delivery
  }

  /// Reasons can be any text; this is the maximum number that is counted separately.
  private static let mostGroups = 100

  private var byReason: [String?: Group] = [:]
  /// Number of tasks with further reasons.
  package private(set) var others = 0

  package init() {}

  package mutating func add(_ task: Delivery) {
    let failure = LastFailure(task.message.properties.headers)
    guard byReason[failure.reason] != nil || byReason.count < Self.mostGroups else {
      others += 1
      return
    }
    var group =
      byReason.removeValue(forKey: failure.reason)
      ?? Group(
        reason: failure.reason, exitStatus: failure.exitStatus, signal: failure.signal, sample: task)
    group.tasks += 1
    if let time = failure.time {
      group.first = min(group.first ?? time, time)
      if time >= group.last ?? 0 { group.sample = task }
      group.last = max(group.last ?? time, time)
    }
    byReason[failure.reason] = group
  }

  /// The groups, those with the most tasks first.
  package var groups: [Group] {
    byReason.values.sorted { one, other in
      one.tasks != other.tasks ? one.tasks > other.tasks : (one.reason ?? "") < (other.reason ?? "")
    }
  }
}
