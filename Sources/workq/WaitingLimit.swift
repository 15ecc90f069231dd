internal import WorkQueue

/// The limit of `--unless-waiting`: if this number of tasks are waiting, nothing is published.
struct WaitingLimit: Equatable {
  let count: Int
  let queue: String
  /// The delay of the tasks; tasks with the same delay count, too.
  let delay: Duration?

  /// The queues whose tasks count.
  var queues: [String] {
    let delays = delay.map { [$0] } ?? []
    let family = QueueFamily(queue: queue, delays: delays.filter { $0 > .zero }, now: WallClock.seconds)
    return family.members.filter { member in
      switch member.role {
      case .work, .delay: true
      case .retry, .failed: false
      }
    }.map(\.name)
  }

  /// Whether a task in the spool counts.
  func counts(_ envelope: Envelope) -> Bool { envelope.exchange.isEmpty && envelope.routingKey == queue }

  /// Whether the limit is reached, which is reported.
  func isReached(by waiting: Int, _ console: Console) -> Bool {
    guard waiting >= count else { return false }
    console.detail("\(waiting) tasks wait for '\(queue)' already: nothing is published")
    return true
  }
}
