internal import AMQP

/// Receives the tasks that wait in a queue, however many, and returns those that stay to their places.
///
/// 1. Consumers receive the tasks: in a quorum queue, each `basic.get` is a consumer of its own, which takes a minute
///    for 100,000 tasks, and mixes them when they are returned. Only the first task is got, unless all are wanted: a
///    refusal shows that the queue cannot be scanned (a stream, or a queue with a single active consumer).
/// 2. A consumer's prefetch is the number of tasks that it should receive. A quorum queue delivers 2,000 tasks at most
///    to a consumer without a limit. The next consumer starts when the one before holds only tasks that stay.
/// 3. One `basic.nack` requeues the tasks of one consumer, in order. Up to RabbitMQ 4.2, one for several consumers
///    mixes their tasks. Tags sort in the consumers' order, because a broken connection requeues in the tags' order.
/// 4. Only `basic.get` shows that a queue is empty, once the consumer holds its full prefetch: then no task assigned
///    to it is in flight. The count of a quorum queue can be late, so it is requested again.
/// 5. A quorum queue puts returned tasks behind others that were returned before, and up to RabbitMQ 3.13 behind all.
///    So a scan continues beyond its limit until it has received all of those.
/// 6. A quorum queue delivers another task for each acknowledged one. If it is in flight when the consumer is
///    cancelled, it never arrives, and is requeued when the channel closes, behind the tasks that `basic.nack`
///    requeued. So a scan continues until the consumer holds its full prefetch.
/// 7. Up to RabbitMQ 3.13, a quorum queue takes 5 s to requeue 100,000 tasks by `basic.nack`, because it writes each
///    to its log again, and 0.5 s when the channel is closed.
struct QueueScan: ~Copyable {
  /// The result of one step.
  enum Step {
    /// The next task, which the caller leaves or acknowledges.
    case task(Delivery)
    /// No task has arrived yet.
    case nothing
    /// All tasks have been received.
    case end
  }

  /// Tasks that are requeued together.
  private struct Batch {
    let first: UInt64
    /// The consumer's number; nil for `basic.get`.
    let consumer: Int?
    /// The last task that stays.
    var last: Delivery.Tag?
  }

  /// How long to wait for expected tasks before a `basic.get` checks whether other consumers took them.
  private static let quietTime = Duration.seconds(5)
  /// The same for tasks beyond the limit, and for requeued tasks until the queue counts them.
  private static let returnTime = Duration.seconds(1)
  private static let returnPause = Duration.milliseconds(20)
  /// Up to this number of consumers, a closed channel's tasks are requeued in the order of the tags.
  private static let mostOrdered = 32
  /// Number of tasks beyond the limit received by `basic.get`, before a consumer receives all that wait.
  private static let mostGets = 24
  private static let largestPrefetch = Int(UInt16.max)
  /// Maximum bytes of a consumer's tasks, estimated from the tasks before.
  private static let mostBytes = 64 << 20

  private let queue: String
  private let name: String
  private let rpcTimeout: Duration
  /// Number of expected tasks, including those received.
  private var waiting: Int
  private var waitingAtStart: Int
  private var limit: Int
  private let version: BrokerVersion?

  /// The number of tasks received.
  private(set) var seen = 0
  /// Whether copies of tasks were published to the queue: they are behind the tasks that waited at the start.
  var hasCopies = false
  /// Whether the queue puts returned tasks behind all others.
  private var returnsToEnd = false
  /// Whether the queue may hold more tasks that were returned before, like the last one received.
  private var isAmongReturned = false
  private var getsBeyondLimit = 0
  private var bytes = 0
  private var batches: [Batch] = []
  /// The present consumer's prefetch; nil before the first consumer.
  private var prefetch: Int?
  private var consumers: [String] = []
  private var activeConsumers: [String] = []
  /// Number of tasks that stay, and of those that the present consumer holds.
  private var returned = 0
  private var kept = 0
  private var hasBegun = false
  /// Whether the broker was told to deliver no more.
  private(set) var isStopped = false
  /// Whether the queue held more tasks than expected.
  private var isCountLate = false
  /// When a task was requested, and the number received by then; nil when the broker has replied.
  private var question: (time: Deadline, seen: Int)?
  private var lastArrival = Deadline.now
  /// Whether tasks wait that the broker has not delivered in the usual time.
  private var isBrokerSlow = false

  /// A scan of the first `limit` tasks of a queue in which `waiting` tasks wait.
  init(
    queue: String, waiting: Int, limit: Int = .max, on version: BrokerVersion?, _ options: Connection.Options
  ) {
    (self.queue, self.waiting, self.limit, self.version) = (queue, waiting, limit, version)
    waitingAtStart = waiting
    (name, rpcTimeout) = (options.name, options.rpcTimeout)
  }

  /// Corrects the numbers given to `init`; `waiting` includes the tasks received.
  mutating func expect(_ waiting: Int, limit: Int) {
    (self.waiting, waitingAtStart, self.limit, isCountLate) = (waiting, waiting, limit, false)
  }

  /// When to call `next(_:within:)` if no event arrives before.
  var nextDeadline: Deadline {
    if let question { return question.time + rpcTimeout }
    return lastArrival + (isBrokerSlow ? rpcTimeout : seen >= limit ? Self.returnTime : Self.quietTime)
  }

  /// Whether nothing arrives until the caller leaves or acknowledges some of its `count` tasks.
  func isHeldUp(by count: Int) -> Bool {
    count > 0 && (seen >= min(waiting, limit) || prefetch.map { kept + count >= $0 } ?? false)
  }

  // MARK: Receiving

  /// The next task, if one arrives within `timeout`.
  ///
  /// - Throws: `unsupported` for a stream, and if the queue delivers only to another consumer; `timedOut`.
  mutating func next(_ connection: inout Connection, within timeout: Duration) throws(AMQPError) -> Step {
    if !hasBegun { try begin(&connection) }
    let end = Deadline.after(timeout)
    while true {
      if !isStopped, try !request(&connection) { return .end }
      let moment = isStopped && question == nil ? .now : min(end, nextDeadline)
      switch try connection.nextAnswer(from: queue, within: moment.remaining ?? timeout) {
      case .delivered(let task): return .task(received(task, by: consumers.count))
      case .got(let task?):
        question = nil
        if seen >= waiting { isCountLate = true }
        return .task(received(task, by: nil))
      case .got(nil):
        let isEnd = isEnd && !isStopped
        question = nil
        if isEnd { return .end }
      case .cancelled:
        throw AMQPError(
          .notFound, "get tasks of queue '\(queue)'", "the queue was deleted meanwhile")
      case .confirmed, .returned, .channelClosed, .blocked, .unblocked, .declared, .consuming: break
      case nil:
        if isStopped && question == nil { return .end }
        if nextDeadline.hasPassed {
          guard question == nil else {
            throw AMQPError(.timedOut, "get tasks of queue '\(queue)'", "the broker did not answer in time")
          }
          isBrokerSlow = try isLate(&connection)
          if !isBrokerSlow { try ask(&connection) }
        } else if end.hasPassed {
          return .nothing
        }
      }
    }
  }

  /// Whether the broker has more tasks for the consumer: a task that is got overtakes those when all are returned.
  private func isLate(_ connection: inout Connection) throws(AMQPError) -> Bool {
    guard isConsumerFilling, seen > 0, !isBrokerSlow else { return false }
    return try connection.knownStatus(ofQueue: queue, within: rpcTimeout).map { $0.waiting > 0 } ?? false
  }

  /// Gets the first task, or consumes if all are wanted: a process killed after a get would put it behind the others.
  private mutating func begin(_ connection: inout Connection) throws(AMQPError) {
    hasBegun = true
    if limit == .max {
      // The broker counts none until it has requeued the tasks of a killed process.
      try consume(waiting > 0 ? waiting : Self.largestPrefetch, &connection)
    } else {
      try ask(&connection)
    }
  }

  /// Ends the scan with the last task received, or as soon as others can be returned in order.
  mutating func finish() {
    limit = min(limit, seen)
  }

  /// Whether to receive tasks beyond the limit, so that earlier ones can be returned in order.
  private var mustGoOn: Bool { returnsToEnd ? seen < waiting : isAmongReturned }

  /// Whether tasks may be in flight to the consumer.
  private var isConsumerFilling: Bool { prefetch.map { kept < $0 } ?? false }

  /// Requests more tasks, or whether there are more, when the broker sends nothing by itself.
  ///
  /// - Returns: false at the end of the scan.
  private mutating func request(_ connection: inout Connection) throws(AMQPError) -> Bool {
    let isWanted = (seen < max(limit, 1) || mustGoOn) && (!hasCopies || seen < waiting)
    guard isWanted || isConsumerFilling else { return false }
    guard question == nil, !isConsumerFilling || seen >= waiting else { return true }
    if isCountLate, let status = try connection.knownStatus(ofQueue: queue, within: rpcTimeout) {
      waiting = seen + Int(status.waiting)
      isCountLate = false
    }
    let isBeyondLimit = seen >= limit
    let expected = (isBeyondLimit || returnsToEnd ? waiting : min(waiting, limit)) - seen
    if isBeyondLimit && !returnsToEnd && getsBeyondLimit < Self.mostGets {
      getsBeyondLimit += 1
      try ask(&connection)
    } else if expected > 0 {
      try consume(expected, &connection)
    } else {
      try ask(&connection)
    }
    return true
  }

  /// Whether an empty reply means that there are no more tasks.
  private var isEnd: Bool {
    prefetch.map { kept >= $0 } ?? true || question?.seen == seen
  }

  private mutating func ask(_ connection: inout Connection) throws(AMQPError) {
    try connection.ask(queue: queue)
    question = (.now, seen)
  }

  private mutating func consume(_ count: Int, _ connection: inout Connection) throws(AMQPError) {
    let fitting = max(1, Self.mostBytes / max(1, bytes / max(1, seen)))
    let prefetch = min(count, fitting, Self.largestPrefetch)
    let number = String(consumers.count)
    let tag = "\(name) \(String(repeating: "0", count: max(0, 6 - number.count)))\(number)"
    consumers.append(tag)
    (self.prefetch, kept, lastArrival) = (prefetch, 0, .now)
    try connection.consume(
      queue: queue, consumer: tag, prefetch: UInt16(prefetch), acknowledges: true)
  }

  private mutating func received(_ task: Delivery, by consumer: Int?) -> Delivery {
    seen += 1
    bytes += task.message.body.count
    (lastArrival, isBrokerSlow) = (.now, false)
    let headers = task.message.properties.headers
    let isOfQuorumQueue = headers?["x-delivery-count"] != nil || headers?["x-acquired-count"] != nil
    isAmongReturned = isOfQuorumQueue && task.isRedelivered
    if isOfQuorumQueue, let version, version < BrokerVersion(4, 0) { returnsToEnd = true }
    if consumer == nil || batches.last?.consumer != consumer {
      batches.append(Batch(first: task.tag.number, consumer: consumer, last: nil))
    }
    return task
  }

  // MARK: Returning

  /// Notes that a task stays in the queue.
  mutating func keep(_ task: Delivery.Tag) {
    guard let index = batches.lastIndex(where: { $0.first <= task.number }) else { return }
    returned += 1
    if batches[index].last.map({ $0.number < task.number }) ?? true { batches[index].last = task }
    if let consumer = batches[index].consumer, consumer == consumers.count { kept += 1 }
  }

  /// Tells the broker to deliver no more; tasks in flight still arrive as steps, until the end.
  mutating func stop(_ connection: inout Connection) throws(AMQPError) {
    guard !isStopped else { return }
    isStopped = true
    for consumer in consumers { try connection.cancel(consumer: consumer) }
  }

  /// Returns the tasks that stay to their places; call it after the end of a stopped scan.
  ///
  /// Waits until the broker has acted on this, and on the acknowledgements before.
  mutating func release(
    _ connection: inout Connection, acknowledged: Int
  ) throws(AMQPError) {
    if acknowledged > Replacer.fewAcks,
      let task = try connection.ackBarrier(of: queue, within: rpcTimeout)
    {
      keep(received(task, by: nil).tag)
    }
    let isInOrder = batches.count <= Self.mostOrdered && batches.dropFirst().allSatisfy { $0.consumer != nil }
    if let version, version < BrokerVersion(4, 0), isInOrder {
      try connection.closeChannel()
    } else {
      for batch in batches {
        if let last = batch.last { try connection.requeue(last, multiple: true) }
      }
    }
    var (most, time) = (0, Deadline.now)
    let expected = max(returned, waitingAtStart - acknowledged)
    while let status = try connection.knownStatus(ofQueue: queue, within: rpcTimeout),
      status.waiting < expected,
      // Without consumers, nobody takes them: the queue is busy.
      !(time + (status.consumers > 0 ? Self.returnTime : Self.quietTime)).hasPassed
    {
      if status.waiting > most { (most, time) = (Int(status.waiting), .now) }
      _ = try connection.nextEvent(within: Self.returnPause)
    }
  }
}
