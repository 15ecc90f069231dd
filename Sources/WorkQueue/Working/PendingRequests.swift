internal import AMQP

/// What the broker was asked on a channel and has not answered: it answers requests of a kind in their order.
///
/// The answer to `cancelling` may come after those to later requests.
struct PendingRequests {
  enum Request {
    /// To begin to consume: whether the queue exists, that it be created, that its tasks be delivered.
    case finding, declaring, consuming
    /// To end that.
    case cancelling
    /// Whether the queue is empty, and how many tasks wait in it, for users.
    case looking, counting
    /// Whether the queue still exists whose consumer the broker has cancelled.
    case checking

    var setsUp: Bool { self == .finding || self == .declaring || self == .consuming }

    /// For errors.
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
  /// When the broker must have answered the next; `never` where nothing depends on that.
  private(set) var deadline = Deadline.never

  init(within timeout: Duration) { self.timeout = timeout }

  /// The first, which the broker has refused if it closes the channel over one: it never refuses to cancel.
  var refused: Request? { requests.first { $0 != .cancelling } }
  /// Whether something depends on an answer.
  var isWaiting: Bool { requests.contains { $0 != .counting } }
  /// Whether it has been asked for what it takes to consume.
  var setUp: Bool { requests.contains { $0.setsUp } }

  func contains(_ request: Request) -> Bool { requests.contains(request) }

  /// A request was sent.
  mutating func sent(_ request: Request) {
    requests.append(request)
    restart()
  }

  /// The broker has sent something: it has the time again, also where deliveries come before its answer.
  mutating func heard() {
    if deadline != .never { restart() }
  }

  /// The broker has answered the first of some kinds.
  mutating func answered(_ isAnswered: (Request) -> Bool) -> Request? {
    guard let index = requests.firstIndex(where: isAnswered) else { return nil }
    defer { restart() }
    return requests.remove(at: index)
  }

  /// Why the connection counts as lost, if the broker has not answered in time.
  func timeout(on queue: String) -> AMQPError? {
    guard deadline.hasPassed, let request = requests.first else { return nil }
    return AMQPError(.timedOut, request.operation(on: queue), "no answer in time")
  }

  /// The channel is closed: none is answered any more.
  mutating func removeAll() { (requests, deadline) = ([], .never) }

  private mutating func restart() { deadline = isWaiting ? .after(timeout) : .never }
}
