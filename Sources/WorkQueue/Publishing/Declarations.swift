internal import AMQP
internal import Glibc

/// A fact about waiting queues or the failed queue to report to users.
package enum WaitingQueueEvent: Equatable, Sendable {
  /// The broker refuses quorum queues like this one, for the reason it gives: a classic one is used.
  case isClassic(queue: String, reason: String)
  /// The user may not configure the queue, for the reason the broker gives: that of workq 1.0 is used.
  case usesFormerName(queue: String, former: String, reason: String)
}

/// The queues that are known to exist; declares missing ones, one request at a time.
///
/// 1. A request is sent when nothing is in flight: the broker refuses it by closing the channel, and then confirms
///    nothing that was published on that.
/// 2. Waiting queues and the failed queue are quorum queues where the broker has them, whatever the work queue is.
///    They are classic only if the broker refuses the type or an argument: a timeout or a lost majority is temporary,
///    and the next attempt must declare the quorum queue.
/// 3. If the user lacks a permission for a waiting queue's new name, and has it for 1.0's, the latter is used.
/// 4. An existing failed queue is used as it is.
struct Declarations {
  enum Target: Hashable {
    /// A durable queue of this name, created if it is missing.
    case queue(String)
    /// A queue of this name that is not created.
    case existing(String)
    case waiting(WaitingQueue)
    case failedQueue(String)
  }

  /// What a message needs to know about its queue.
  struct Need {
    let queue: String
    var route = Route.direct
    /// Whether it was returned because its queue was missing.
    var isReturned = false
    /// Whether it has a reply, which is reported after its queue was looked up.
    var isReplied = false
  }

  enum Outcome: Equatable {
    /// Messages for the target are published to the queue of this name.
    case ready(name: String)
    case missing
  }

  struct Request: Equatable {
    var queue: Queue
    var isPassive = false
    /// Whether the broker has closed the connection because of this request before.
    var needsConnection = false

    var operation: String { isPassive ? "look at queue '\(queue.name)'" : "declare queue '\(queue.name)'" }
  }

  private enum Step { case first, classic, former, again }

  /// 1.0's delay queues are declared again after this time, before they can expire.
  private static let formerLease = Duration.seconds(600)
  /// Limits the requests when there are many messages.
  private static let answerLease = Duration.seconds(1)

  private var outcomes: [Target: (outcome: Outcome, expiry: Deadline)] = [:]
  /// The first ticket after a target was declared.
  private var boundaries: [Target: Int] = [:]
  private var target: Target?
  private var step = Step.first
  private var refusal: AMQPError?
  private var version: BrokerVersion?
  /// The next request; nil when nothing is being declared.
  private(set) var request: Request?
  /// When the broker must have answered it; nil when it was not sent.
  private(set) var deadline: Deadline?
  /// Whether the broker has refused a quorum queue on this connection.
  private var hasNoQuorumQueues = false
  private var hasReportedClassic = false
  private var hasReportedFormerName = false

  /// The targets whose state must be known before a message is sent, or its reply is reported.
  func targets(of need: Need, _ missingQueue: SenderOptions.MissingQueue) -> [Target] {
    let queue = need.queue
    let work: Target = missingQueue == .create ? .queue(queue) : .existing(queue)
    if need.isReplied { return [.existing(queue)] }
    switch need.route {
    case .direct: return need.isReturned ? [work] : []
    case .failedQueue: return [.failedQueue(queue)]
    case .retry(let time): return [.waiting(.retry(of: queue, after: time))]
    case .delay(let time):
      let week = ISOWeek(secondsSince1970: Glibc.time(nil))
      let waiting = Target.waiting(.delay(of: queue, by: time, in: week))
      return outcome(of: waiting) == nil ? [work, waiting] : [waiting]
    }
  }

  /// The state of a target; nil when it must be declared first.
  func outcome(of target: Target) -> Outcome? {
    guard let (outcome, expiry) = outcomes[target], expiry == .never || !expiry.hasPassed else { return nil }
    return outcome
  }

  /// Whether the target was missing when this ticket's message was sent, as far as we know.
  func isMissing(_ target: Target, at ticket: Int) -> Bool { ticket >= boundaries[target] ?? 0 }

  /// Forgets a target: it turned out to be missing.
  mutating func forget(_ target: Target) { outcomes[target] = nil }

  /// Forgets all: the connection is lost.
  mutating func forgetAll() {
    (outcomes, boundaries, target, hasNoQuorumQueues) = ([:], [:], nil, false)
    (request, deadline) = (nil, nil)
  }

  /// Begins to declare a target, at a broker of this version.
  mutating func begin(_ target: Target, on version: BrokerVersion?) {
    (self.target, self.version, step, refusal) = (target, version, .first, nil)
    switch target {
    case .queue(let name): request = Request(queue: Queue(name: name))
    case .existing(let name), .failedQueue(let name):
      request = Request(queue: Queue(name: name), isPassive: true)
    case .waiting(let queue): ask(quorum: queue.queue(.quorum), classic: queue.queue(.classic))
    }
  }

  /// Sends the request, if there is one.
  ///
  /// - Throws: `tooLarge` for the queue's name.
  mutating func send(on connection: inout Connection?, by deadline: Deadline) throws(AMQPError) {
    guard let request else { return }
    do throws(AMQPError) {
      try connection?.sendDeclare(request.queue, isPassive: request.isPassive)
    } catch {
      (target, self.request) = (nil, nil)
      throw error
    }
    self.deadline = deadline
  }

  /// Handles the reply to the request, or its refusal; `sent` is the ticket of the last message that was sent.
  ///
  /// - Throws: `preconditionFailed` when a queue of the name exists with other properties; `accessRefused`; errors
  ///   that end the connection.
  mutating func answered(_ error: AMQPError?, after sent: Int, _ report: (WaitingQueueEvent) -> Void)
    throws(AMQPError)
  {
    let asked = target
    deadline = nil
    do throws(AMQPError) {
      switch target {
      case .queue(let name):
        // Another client has declared it in the meantime, with other properties.
        if let error, error.kind != .preconditionFailed { throw error }
        finish(.ready(name: name))
      case .existing(let name):
        if let error, error.kind != .notFound { throw error }
        finish(error == nil ? .ready(name: name) : .missing, expiry: .after(Self.answerLease))
      case .waiting(let queue): try answered(queue, error, report)
      case .failedQueue(let name): try answeredFailedQueue(name, error, report)
      case nil: break
      }
      if let asked, request == nil { boundaries[asked] = sent + 1 }
    } catch {
      (target, request) = (nil, nil)
      throw error
    }
  }

  private mutating func answered(
    _ queue: WaitingQueue, _ error: AMQPError?, _ report: (WaitingQueueEvent) -> Void
  ) throws(AMQPError) {
    guard let error else {
      reportClassic(report)
      guard step == .former else { return finish(.ready(name: queue.name)) }
      if !hasReportedFormerName, let refusal {
        report(.usesFormerName(queue: queue.name, former: queue.formerName, reason: refusal.detail))
      }
      hasReportedFormerName = true
      let expiry: Deadline = queue.purpose == .delay ? .after(Self.formerLease) : .never
      return finish(.ready(name: queue.formerName), expiry: expiry)
    }
    switch step {
    case .first where Self.isRefusal(error): ask(classic: queue.queue(.classic), after: error)
    case .first where error.kind == .accessRefused, .classic where error.kind == .accessRefused:
      (step, refusal, request) = (.former, error, Request(queue: queue.formerQueue))
    case .former where !error.isTransient: throw refusal ?? error
    default: throw error
    }
  }

  private mutating func answeredFailedQueue(
    _ name: String, _ error: AMQPError?, _ report: (WaitingQueueEvent) -> Void
  ) throws(AMQPError) {
    guard let error else {
      if step == .classic { reportClassic(report) }
      return finish(.ready(name: name))
    }
    var classic = Queue(name: name)
    classic.arguments["x-queue-type"] = .text("classic")
    switch step {
    case .first where request?.isPassive == true && error.kind == .notFound:
      ask(quorum: Self.failedQueue(name, on: version), classic: classic)
    case .first where request?.isPassive == false && Self.isRefusal(error):
      ask(classic: classic, after: error)
    case .classic where error.kind == .preconditionFailed:
      // Probably another client has declared it in the meantime, with other properties.
      (step, refusal, request) = (.again, error, Request(queue: Queue(name: name), isPassive: true))
    case .again where error.kind == .notFound: throw refusal ?? error
    default: throw error
    }
  }

  private mutating func ask(quorum: Queue, classic: Queue) {
    (step, request) =
      hasNoQuorumQueues ? (.classic, Request(queue: classic)) : (.first, Request(queue: quorum))
  }

  private mutating func ask(classic: Queue, after error: AMQPError) {
    (step, refusal) = (.classic, error)
    request = Request(queue: classic, needsConnection: error.kind != .preconditionFailed)
  }

  private mutating func finish(_ outcome: Outcome, expiry: Deadline = .never) {
    if let target { outcomes[target] = (outcome, expiry) }
    (target, request) = (nil, nil)
  }

  private mutating func reportClassic(_ report: (WaitingQueueEvent) -> Void) {
    guard step == .classic, let refusal, let request else { return }
    // Its existence as a classic queue says nothing about other queues.
    hasNoQuorumQueues = PropertyMismatch(refusal) == nil
    if !hasReportedClassic { report(.isClassic(queue: request.queue.name, reason: refusal.detail)) }
    hasReportedClassic = true
  }

  /// Whether the broker does not support the type or an argument, or has the queue with others.
  private static func isRefusal(_ error: AMQPError) -> Bool {
    error.kind == .preconditionFailed || error.kind == .unsupported
  }

  /// A failed queue without a delivery limit, so that inspecting it cannot empty it.
  ///
  /// From RabbitMQ 4.0 on, quorum queues drop a task after 20 deliveries by default, and each look is one. Before 4.0
  /// there is no limit, and -1 would be a limit that is reached at once.
  static func failedQueue(_ name: String, on version: BrokerVersion?) -> Queue {
    var queue = Queue(name: name)
    queue.arguments["x-queue-type"] = .text("quorum")
    if let version, version >= BrokerVersion(4, 0) { queue.arguments["x-delivery-limit"] = .int64(-1) }
    return queue
  }
}
