internal import WorkQueue

/// The limit of `--unless-waiting`: with this many tasks waiting already, nothing is published.
struct WaitingLimit: Equatable {
  let count: Int
  let queue: String
  /// The delay that the tasks are published with; those that still wait for it count, too.
  let delay: Duration?

  /// The queues in which such tasks wait.
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

  /// Whether a task in the spool is one of those that are counted.
  func counts(_ envelope: Envelope) -> Bool { envelope.exchange.isEmpty && envelope.routingKey == queue }

  /// Whether nothing is to be published, which is reported.
  func isReached(by waiting: Int, _ console: Console) -> Bool {
    guard waiting >= count else { return false }
    console.detail("\(waiting) tasks wait for '\(queue)' already: nothing is published")
    return true
  }
}
