internal import AMQP

/// Receives the tasks that wait in a queue one after the other, however many, and returns those that stay to their
/// places.
///
/// 1. Consumers take the tasks: `basic.get` would make each task a consumer of its own in a quorum queue, which takes
///    a minute for 100,000 and mixes them when they are returned. Only the first task is got, unless all are wanted:
///    a refusal of that tells what cannot be scanned, a stream and a queue that has one active consumer.
/// 2. A consumer's prefetch is what is expected of it. A quorum queue gives 2,000 tasks at most to a consumer without
///    a limit. The next consumer starts when the one before holds only tasks that stay.
/// 3. What one consumer got is requeued by one `basic.nack`, in order. A single one for several consumers mixes
///    their tasks, up to RabbitMQ 4.2. The tags sort in the order of the consumers, because the broker requeues in
///    that order when the connection breaks.
/// 4. Only `basic.get` tells that a queue is empty, as soon as the consumer holds all that it may: then nothing that it
///    was assigned is in flight. The count of a quorum queue can be behind, so it is asked for again.
/// 5. A quorum queue puts returned tasks behind others that were returned before, and up to RabbitMQ 3.13 behind all.
///    So a scan goes on beyond its limit until it has received all of those.
/// 6. A quorum queue gives its consumer another task for each that is acknowledged. One that is in flight when the
///    consumer is cancelled never arrives, and is requeued when the channel closes, behind those that were requeued by
///    `basic.nack`. So a scan goes on until the consumer holds all that it may.
/// 7. Up to RabbitMQ 3.13 a quorum queue takes five seconds to requeue 100,000 tasks by `basic.nack`, because it writes
///    each to its log again, and half a second when the channel is closed.
struct QueueScan: ~Copyable {
  /// What a scan has found.
  enum Step {
    /// The next task, which the caller leaves or acknowledges.
    case task(Delivery)
    /// Nothing for now.
    case nothing
    /// All tasks have been received.
    case end
  }

  /// Tasks that are requeued together.
  private struct Batch {
    let first: UInt64
    /// The number of the consumer; nil when it was got.
    let consumer: Int?
    /// The last of those that stay.
    var last: Delivery.Tag?
  }

  /// How long nothing arrives of what is expected, until the broker is asked whether the queue is empty: then others
  /// have taken it.
  private static let quietTime = Duration.seconds(5)
  /// The same for tasks beyond the limit, and for requeued ones until the queue counts them.
  private static let returnTime = Duration.seconds(1)
  private static let returnPause = Duration.milliseconds(20)
  /// The consumers of a channel that is closed are served in the order of their tags up to this number.
  private static let mostOrdered = 32
  /// This number of tasks beyond the limit is got one by one, before a consumer takes all that wait.
  private static let mostGets = 24
  private static let largestPrefetch = Int(UInt16.max)
  /// A consumer is given so many bytes at most, as far as the size of the tasks before tells.
  private static let mostBytes = 64 << 20

  private let queue: String
  private let name: String
  private let rpcTimeout: Duration
  /// How many tasks are expected, with those that were received.
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
  /// Whether the queue may hold more tasks that were returned before, as the last one that was received.
  private var isAmongReturned = false
  private var getsBeyondLimit = 0
  private var bytes = 0
  private var batches: [Batch] = []
  /// The present consumer's prefetch; nil before the first one.
  private var prefetch: Int?
  private var consumers: [String] = []
  private var activeConsumers: [String] = []
  /// How many tasks stay, and how many of them the present consumer holds.
  private var returned = 0
  private var left = 0
  private var hasBegun = false
  /// Whether the broker has been told to send no more.
  private(set) var isStopped = false
  /// Whether the queue held more tasks than expected.
  private var isCountLate = false
  /// When the broker was asked for a task, and how many had been received; nil when it has answered.
  private var question: (time: Deadline, seen: Int)?
  private var lastArrival = Deadline.now

  /// A scan of a queue in which `waiting` tasks wait, and of the first `limit` tasks.
  init(
    queue: String, waiting: Int, limit: Int = .max, on version: BrokerVersion?, _ options: Connection.Options
  ) {
    (self.queue, self.waiting, self.limit, self.version) = (queue, waiting, limit, version)
    waitingAtStart = waiting
    (name, rpcTimeout) = (options.name, options.rpcTimeout)
  }

  /// Corrects what `init` was told, with the tasks that were received.
  mutating func expect(_ waiting: Int, limit: Int) {
    (self.waiting, waitingAtStart, self.limit, isCountLate) = (waiting, waiting, limit, false)
  }

  /// When `next(_:within:)` has something to do, if nothing arrives before.
  var nextDeadline: Deadline {
    if let question { return question.time + rpcTimeout }
    return lastArrival + (seen >= limit ? Self.returnTime : Self.quietTime)
  }

  /// Whether nothing arrives until something is decided of the tasks in the caller's hands, which are that many.
  func isHeldUp(by count: Int) -> Bool {
    count > 0 && (seen >= min(waiting, limit) || prefetch.map { left + count >= $0 } ?? false)
  }

  // MARK: Receiving

  /// The next task, if there is one within `timeout`.
  ///
  /// - Throws: `unsupported` for a stream, and where only one other consumer gets tasks; `timedOut`.
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
          try ask(&connection)
        } else if end.hasPassed {
          return .nothing
        }
      }
    }
  }

  /// Asks for the first task, or has a consumer take all if all are wanted: a process that is killed after the first
  /// would leave it behind the others.
  private mutating func begin(_ connection: inout Connection) throws(AMQPError) {
    hasBegun = true
    if limit == .max {
      // None are counted until the broker has requeued those of a process that was killed.
      try consume(waiting > 0 ? waiting : Self.largestPrefetch, &connection)
    } else {
      try ask(&connection)
    }
  }

  /// Has the scan end with the last task that was received, or as soon as others can be returned in order.
  mutating func finish() {
    limit = min(limit, seen)
  }

  /// Whether tasks beyond the limit must be received, so that those before can be returned in order.
  private var mustGoOn: Bool { returnsToEnd ? seen < waiting : isAmongReturned }

  /// Whether tasks may be in flight to the consumer.
  private var isConsumerFilling: Bool { prefetch.map { left < $0 } ?? false }

  /// Has the broker send more, or tell whether there is more, when it sends nothing by itself.
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

  /// Whether an answer that there is no task means that there are no more.
  private var isEnd: Bool {
    prefetch.map { left >= $0 } ?? true || question?.seen == seen
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
    (self.prefetch, left, lastArrival) = (prefetch, 0, .now)
    try connection.consume(
      queue: queue, consumer: tag, prefetch: UInt16(prefetch), acknowledges: true)
  }

  private mutating func received(_ task: Delivery, by consumer: Int?) -> Delivery {
    seen += 1
    bytes += task.message.body.count
    lastArrival = .now
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

  /// A task stays in the queue.
  mutating func leave(_ task: Delivery.Tag) {
    guard let index = batches.lastIndex(where: { $0.first <= task.number }) else { return }
    returned += 1
    if batches[index].last.map({ $0.number < task.number }) ?? true { batches[index].last = task }
    if let consumer = batches[index].consumer, consumer == consumers.count { left += 1 }
  }

  /// Has the broker send no more; what it has sent already still comes as steps, until the end.
  mutating func stop(_ connection: inout Connection) throws(AMQPError) {
    guard !isStopped else { return }
    isStopped = true
    for consumer in consumers { try connection.cancel(consumer: consumer) }
  }

  /// Returns the tasks that stay to their places; after the end of a scan that was stopped.
  ///
  /// Waits until the broker has acted on that, and on the acknowledgements before.
  mutating func release(
    _ connection: inout Connection, acknowledged: Int
  ) throws(AMQPError) {
    if acknowledged > Replacer.fewAcks,
      let task = try connection.ackBarrier(of: queue, within: rpcTimeout)
    {
      leave(received(task, by: nil).tag)
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

extension Connection {
  /// A quorum queue's leader that does not answer within 250 ms is reported to have no tasks, up to RabbitMQ 3.13.
  private static var slowAnswer: Duration { .milliseconds(200) }

  /// Looks a queue up, again and again while its leader is too busy to tell how many tasks wait.
  mutating func knownStatus(ofQueue queue: String, within timeout: Duration) throws(AMQPError) -> Queue
    .Status?
  {
    let end = Deadline.after(timeout)
    while true {
      let start = Deadline.now
      guard let status = try status(ofQueue: queue) else { return nil }
      let isKnown = status.waiting > 0 || status.consumers > 0 || Deadline.now - start < Self.slowAnswer
      if isKnown || end.hasPassed { return status }
    }
  }
}
