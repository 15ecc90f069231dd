internal import AMQP
internal import Glibc

/// A task's copy for a retry queue, for the failed queue or for the end of its own queue.
struct RetryMessage: Outgoing {
  enum Destination: Equatable {
    /// A queue from which the task returns to the work queue after this time.
    case delay(Duration)
    case failedQueue
    /// The work queue itself: for an attempt that failed and is requeued, or for a task that was not run.
    ///
    /// It is published only once: the original does not depend on it.
    case workQueue(wasRun: Bool)

    /// Whether the original must wait until the copy is published, without a time limit.
    var isRetried: Bool {
      if case .workQueue = self { false } else { true }
    }
  }

  /// The task's number in this worker; nil when it was not run.
  let number: Int?
  /// The original, which is acknowledged when the copy is confirmed.
  let tag: Delivery.Tag
  let message: Message
  let destination: Destination
  /// The work queue, or its failed queue.
  let queue: String

  var envelope: Envelope { Envelope(message, routingKey: queue) }

  var route: Route {
    switch destination {
    case .delay(let delay): .retry(delay)
    case .failedQueue: .failedQueue
    case .workQueue: .direct
    }
  }

  init(number: Int?, tag: Delivery.Tag, message: Message, destination: Destination, queue: String) {
    (self.number, self.tag, self.message, self.destination, self.queue) =
      (number, tag, message, destination, queue)
  }

  /// The copy of a task whose attempt is over, with headers that say how it ended.
  init(_ result: JobResult, to destination: Destination, _ options: Worker.Options) {
    let (job, outcome) = (result.job, result.outcome)
    let made: Int =
      switch outcome {
      case .attemptsExceeded(let times): times
      case .workersDied(let starts): job.attempt - 1 + starts
      default: job.attempt
      }
    let failure = FailureRecord(
      attempt: made, outcome: outcome, reason: result.reason ?? outcome.description, time: UInt64(time(nil)),
      host: options.host, stderr: result.stderr, queue: options.queue)
    self.init(
      number: job.number, tag: job.delivery.tag, message: job.delivery.copy(after: failure),
      destination: destination, queue: destination == .failedQueue ? options.failedQueue : options.queue)
  }

  /// The copy without optional headers; nil when it has none of them.
  var withoutDetails: RetryMessage? {
    var message = message
    for name in [TaskHeaders.stderr, TaskHeaders.reason, "traceparent", "tracestate"] {
      message.properties.headers?[name] = nil
    }
    guard message != self.message else { return nil }
    return RetryMessage(number: number, tag: tag, message: message, destination: destination, queue: queue)
  }
}

/// Publishes the copies of failed tasks, on a connection of its own: a broker with an alarm blocks publishing
/// connections, and acknowledgements must get through.
///
/// 1. A copy is published when the broker has confirmed it and routed it to a queue.
/// 2. A copy that cannot be published for now is tried again with back-off; its original stays unacknowledged.
/// 3. An error of one copy (its headers are too large) affects only this copy. An error of the queues (a permission
///    is missing, or one exists with other properties) ends publishing: `failure`.
struct Retrier: ~Copyable {
  private let report: (WorkerEvent) -> Void
  private var sender: Sender<RetryMessage>
  /// Confirmed copies that were not taken out yet.
  private var confirmed: [RetryMessage] = []
  /// Copies that the work queue has not accepted and that are not tried again; not taken out yet.
  private var refused: [Refused] = []
  /// Copies that can never be published; not taken out yet.
  private var unpublishable: [Refused] = []
  /// Why no more copies can be published.
  private(set) var failure: AMQPError?

  /// A copy that was not published, and is not tried again.
  typealias Refused = (copy: RetryMessage, reason: String)

  init(_ context: WorkerContext) {
    let report = context.report
    self.report = report
    var connection = context.options.connection
    connection.name += " retries"
    var options = SenderOptions(context.options.addresses, connection)
    options.operation = "publish copies"
    options.waitsWhileBlocked = true
    sender = Sender(options) { event in
      switch event {
      case .waitingQueue(let event): report(.waitingQueue(event))
      case .blocked(let reason, _): report(.copiesBlocked(reason: reason))
      case .unblocked: report(.copiesUnblocked)
      case .connected, .declaring, .declined, .lost: break  // not for a retrier
      }
    }
  }

  /// Number of unpublished copies.
  var pending: Int { sender.pending }
  /// When to act if no event arrives before.
  var nextDeadline: Deadline { mutating get { sender.nextDeadline } }

  mutating func watch(on loop: inout EventLoop) {
    loop.watch(sender.descriptor, forWriting: sender.waitsForWriting)
  }

  mutating func add(_ copy: RetryMessage) {
    sender.add(copy)
  }

  /// Drops the unsent copies whose originals the broker redelivers anyway.
  ///
  /// - Returns: how many of their tasks had been run.
  mutating func forget(where isStale: (RetryMessage) -> Bool) -> Int {
    sender.remove(inFlight: false, where: isStale).count { $0.number != nil }
  }

  /// Takes out the copies that the work queue has not accepted; their originals do not depend on them.
  mutating func takeRefused() -> [Refused] {
    defer { refused.removeAll() }
    return refused
  }

  /// Takes out the copies that can never be published.
  mutating func takeUnpublishable() -> [Refused] {
    defer { unpublishable.removeAll() }
    return unpublishable
  }

  /// Gives up the copies of these tasks; a sent one may still be published.
  mutating func withdraw(_ tags: [Delivery.Tag]) -> [Refused] {
    guard !tags.isEmpty else { return [] }
    let tags = Set(tags)
    return sender.remove { tags.contains($0.tag) }.map { ($0, "the broker did not confirm the copy in time") }
  }

  /// Gives up all copies; sent ones may still be published.
  mutating func shutDownNow() -> [RetryMessage] {
    sender.shutDownNow()
  }

  mutating func disconnect() {
    sender.disconnect()
  }

  /// Sends what can be sent, and reads the broker's replies.
  ///
  /// - Returns: the copies that were published.
  mutating func step() -> [RetryMessage] {
    guard failure == nil, sender.isConnected || sender.pending > 0 else { return [] }
    do throws(AMQPError) {
      try sender.flush()
      while let (parcel, reply) = try sender.next() { settle(parcel, reply) }
      try sender.flush()
    } catch {
      lose(error)
    }
    defer { confirmed.removeAll(keepingCapacity: true) }
    return confirmed
  }

  private mutating func settle(_ parcel: Sender<RetryMessage>.Parcel, _ reply: BrokerReply) {
    let copy = parcel.item
    switch reply {
    case .confirmed: confirmed.append(copy)
    case .refused(let reason): refuse(copy, reason)
    case .unroutable(let reason), .declined(let reason), .missing(let reason):
      guard copy.destination.isRetried else { return refused.append((copy, reason)) }
      // Its queue was deleted, is full, or has no leader.
      sender.sendLater(parcel, after: reply)
      reportWait(AMQPError(.preconditionFailed, "publish the copy of task \(copy.number ?? 0)", reason))
    }
  }

  /// Notes that the broker or the protocol refuses a copy because of the task itself.
  private mutating func refuse(_ copy: RetryMessage, _ reason: String) {
    if !copy.destination.isRetried {
      refused.append((copy, reason))
    } else if let smaller = copy.withoutDetails {
      sender.add(smaller)
    } else {
      unpublishable.append((copy, reason))
    }
  }

  private mutating func lose(_ error: AMQPError) {
    let hasOther = sender.lose(error)
    refused += sender.remove { !$0.destination.isRetried }.map { ($0, error.detail) }
    if Self.concernsQueues(error), sender.pending > 0 {
      failure = error
    } else if hasOther {
      report(.copiesWait(error, tasks: pending, retry: .zero))
    } else {
      reportWait(error)
    }
  }

  /// Whether the error is permanent for all tasks.
  private static func concernsQueues(_ error: AMQPError) -> Bool {
    switch error.kind {
    case .accessRefused, .preconditionFailed, .unsupported: true
    default: false
    }
  }

  private mutating func reportWait(_ error: AMQPError) {
    guard pending > 0 else { return }
    report(.copiesWait(error, tasks: pending, retry: sender.scheduleRetry()))
  }
}
