internal import AMQP

/// Requests on a channel that the broker has not answered; it answers requests of one kind in their order.
///
/// The reply to `cancelling` may arrive after replies to later requests.
struct PendingRequests {
  enum Request {
    /// To start consuming: look up the queue, declare it, consume from it.
    case finding, declaring, consuming
    /// To stop consuming.
    case cancelling
    /// Whether the queue is empty, and how many tasks wait in it, for users.
    case looking, counting
    /// Whether the queue still exists after the broker has cancelled its consumer.
    case checking

    var setsUp: Bool { self == .finding || self == .declaring || self == .consuming }

    /// For error messages.
    func operation(on queue: String) -> String {
      switch self {
      case .finding, .looking, .counting, .checking: "look at queue '\(queue)'"
      case .declaring: "declare queue '\(queue)'"
      case .consuming: "consume from queue '\(queue)'"
      case .cancelling: "stop consuming from queue '\(queue)'"
      }
    }
  }

  private let timeout: Duration
  private var requests: [Request] = []
  /// When the broker must have answered the next request; `never` when nothing depends on a reply.
  private(set) var deadline = Deadline.never

  init(within timeout: Duration) { self.timeout = timeout }

  /// The request that the broker refused when it closed the channel, if it refused one; it never refuses `cancelling`.
  var refused: Request? { requests.first { $0 != .cancelling } }
  /// Whether something depends on a reply.
  var isWaiting: Bool { requests.contains { $0 != .counting } }
  /// Whether a request to start consuming is pending.
  var setUp: Bool { requests.contains { $0.setsUp } }

  func contains(_ request: Request) -> Bool { requests.contains(request) }

  mutating func sent(_ request: Request) {
    requests.append(request)
    restart()
  }

  /// Restarts the timeout after any event: deliveries may arrive before the reply.
  mutating func heard() {
    if deadline != .never { restart() }
  }

  /// Removes the first request of some kinds, which the broker has answered.
  mutating func answered(_ isAnswered: (Request) -> Bool) -> Request? {
    guard let index = requests.firstIndex(where: isAnswered) else { return nil }
    defer { restart() }
    return requests.remove(at: index)
  }

  /// The error that ends the connection, if the broker has not answered in time.
  func timeout(on queue: String) -> AMQPError? {
    guard deadline.hasPassed, let request = requests.first else { return nil }
    return AMQPError(.timedOut, request.operation(on: queue), "no answer in time")
  }

  /// Removes all requests: the channel is closed, so the broker does not answer them.
  mutating func removeAll() { (requests, deadline) = ([], .never) }

  private mutating func restart() { deadline = isWaiting ? .after(timeout) : .never }
}
