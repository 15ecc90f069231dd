package import AMQP

/// Looks at all tasks that wait in a queue, however many, and returns them to their places.
///
/// 1. Consumers take the tasks and acknowledge none: the broker requeues all of them when the process is killed.
///    `basic.get` would make each task a consumer of its own in a quorum queue, which takes a minute for 100,000.
/// 2. A consumer gets the largest prefetch: a quorum queue gives 2,000 tasks at most to one without a limit. The
///    next consumer starts when the one before has its share.
/// 3. What one consumer got is requeued by one `basic.nack`, in order. A single one for several consumers mixes
///    their tasks, up to RabbitMQ 4.2. The tags sort in the order of the consumers, because the broker requeues in
///    that order when the connection breaks.
/// 4. Only `basic.get` tells that a queue is empty: the count of a quorum queue comes late. What a consumer was
///    assigned can still be in flight then.
package struct QueueScan: ~Copyable {
  /// What was seen.
  package struct Result: Equatable, Sendable {
    /// The tasks that were visited.
    package internal(set) var seen = 0
    /// Whether the broker has counted the look as a delivery of each task.
    package internal(set) var countsDeliveries = false
    /// What became of tasks whose deliveries come near the queue's limit.
    package internal(set) var replacement = Replacer.Result()
  }

  /// How long nothing arrives before the broker is asked whether the queue is empty, while more are expected.
  ///
  /// A task that it gives us then has overtaken those that a busy broker assigned to a consumer.
  private static let quietTime = Duration.seconds(3)
  /// The same when all of those are here.
  private static let quietTimeAtEnd = Duration.milliseconds(250)
  /// How long a queue that is being filled is looked at beyond the tasks that waited at the start.
  private static let overtime = Duration.seconds(10)
  /// How long nothing arrives from an empty queue in which more tasks waited at the start, until they are taken for
  /// gone.
  private static let gracePeriod = Duration.seconds(5)
  private static let largestShare = Int(UInt16.max)
  /// This number of tasks is replaced at a time.
  private static let replacementBatch = 500

  private let queue: String
  private let addresses: [Address]
  private let options: Connection.Options
  private let waiting: Int
  private let limitsReturns: Bool
  private let version: BrokerVersion?
  private var consumers: [String] = []
  private var share = 0
  /// The last delivery, and the last of each consumer before the present one.
  private var last: Delivery.Tag?
  private var boundaries: [Delivery.Tag] = []
  private var suspicious: [Delivery] = []
  private var end = Deadline.never
  private var lastArrival = Deadline.now
  private var result = Result()

  /// Visits the tasks in their order, until `visit` returns false or no more wait.
  ///
  /// Where the queue limits deliveries and counts looks, copies replace tasks that were returned often. They are
  /// published to the first of the `addresses`.
  ///
  /// - Returns: nil when there is no such queue.
  /// - Throws: `unsupported` for a stream, and where only one other consumer gets tasks; `timedOut`.
  package static func look(
    at queue: String, on connection: inout Connection, via addresses: [Address],
    _ options: Connection.Options, visit: (Delivery) -> Bool
  ) throws(AMQPError) -> Result? {
    guard let status = try connection.status(ofQueue: queue) else { return nil }
    let limitsReturns = try connection.mayDropReturnedTasks(ofQueue: queue)
    var scan = QueueScan(
      queue: queue, addresses: addresses, options: options, waiting: Int(status.waiting),
      limitsReturns: limitsReturns, version: BrokerVersion(broker: connection.broker))
    return try scan.run(&connection, visit)
  }

  private init(
    queue: String, addresses: [Address], options: Connection.Options, waiting: Int, limitsReturns: Bool,
    version: BrokerVersion?
  ) {
    (self.queue, self.addresses, self.options, self.waiting) = (queue, addresses, options, waiting)
    (self.limitsReturns, self.version) = (limitsReturns, version)
  }

  private mutating func run(
    _ connection: inout Connection, _ visit: (Delivery) -> Bool
  ) throws(AMQPError) -> Result {
    try consume(&connection)
    // How many had been seen when the broker was last asked whether the queue is empty.
    var seenAtQuestion: Int?
    while true {
      if end == .never, waiting > 0, result.seen >= waiting { end = .after(Self.overtime) }
      let quietTime = result.seen < waiting ? Self.quietTime : Self.quietTimeAtEnd
      let timeout = seenAtQuestion == nil ? quietTime : options.rpcTimeout
      switch try connection.nextAnswer(from: queue, within: timeout) {
      case .delivered(let task):
        guard visit(task), !end.hasPassed else { return try release(&connection, take: task) }
        try take(task, &connection)
        share += 1
        if share == Self.largestShare { try consume(&connection) }
      case .got(let task?):
        seenAtQuestion = nil
        try separate(&connection, task)
        guard visit(task), !end.hasPassed else { return try release(&connection, take: nil) }
      case .got(nil):
        let isComplete = result.seen >= waiting || (lastArrival + Self.gracePeriod).hasPassed
        if isComplete && seenAtQuestion == result.seen { return try release(&connection, take: nil) }
        seenAtQuestion = nil
      case .cancelled:
        throw AMQPError(.notFound, "look at the tasks of queue '\(queue)'", "the queue was deleted meanwhile")
      case nil:
        guard seenAtQuestion == nil else {
          throw AMQPError(
            .timedOut, "look at the tasks of queue '\(queue)'", "the broker did not answer in time")
        }
        seenAtQuestion = try ask(&connection)
      case .confirmed, .returned, .channelClosed, .blocked, .unblocked: break
      }
    }
  }

  private mutating func ask(_ connection: inout Connection) throws(AMQPError) -> Int {
    try connection.ask(queue: queue)
    return result.seen
  }

  private mutating func consume(_ connection: inout Connection) throws(AMQPError) {
    if let last, last != boundaries.last { boundaries.append(last) }
    share = 0
    let number = String(consumers.count)
    let tag = "\(options.name) \(String(repeating: "0", count: max(0, 6 - number.count)))\(number)"
    consumers.append(tag)
    try connection.consume(
      queue: queue, consumer: tag, prefetch: UInt16.max, acknowledges: true)
  }

  private mutating func take(_ task: Delivery, _ connection: inout Connection) throws(AMQPError) {
    result.seen += 1
    last = task.tag
    lastArrival = .now
    if let version, version.countsReturns, task.message.properties.headers?["x-delivery-count"] != nil {
      result.countsDeliveries = true
    }
    guard limitsReturns, task.history.returns >= DeliveryHistory.suspiciousReturns else { return }
    suspicious.append(task)
    if suspicious.count == Self.replacementBatch { try replace(&connection) }
  }

  /// Takes a task that no consumer got, between those of consumers.
  private mutating func separate(_ connection: inout Connection, _ task: Delivery) throws(AMQPError) {
    if let last, last != boundaries.last { boundaries.append(last) }
    try take(task, &connection)
    boundaries.append(task.tag)
  }

  private mutating func replace(_ connection: inout Connection) throws(AMQPError) {
    let batch = try Replacer.replace(suspicious, in: queue, on: &connection, via: addresses, options)
    suspicious.removeAll()
    result.replacement.replaced += batch.replaced
    result.replacement.refusal = result.replacement.refusal ?? batch.refusal
  }

  /// Returns all tasks to their places.
  private mutating func release(
    _ connection: inout Connection, take task: Delivery?
  ) throws(AMQPError) -> Result {
    if let task { try take(task, &connection) }
    try replace(&connection)
    for consumer in consumers { try connection.cancel(consumer: consumer) }
    // Nothing can be delivered any more; of what was, the rest after `last` has not been read.
    for tag in boundaries { try connection.requeue(tag, multiple: true) }
    while let event = try connection.nextAnswer(from: queue, within: .zero) {
      if case .delivered(let task) = event { last = task.tag }
    }
    if let last, last != boundaries.last { try connection.requeue(last, multiple: true) }
    if result.replacement.replaced > Replacer.fewAcks,
      let more = try connection.takeOneMore(of: queue, within: options.rpcTimeout)
    {
      try connection.requeue(more.tag)
    }
    // The broker answers in order: with this answer the tasks are back.
    _ = try connection.status(ofQueue: queue)
    return result
  }
}

extension Connection {
  /// Whether tasks that a look returns to the queue are to be replaced when they were returned often.
  ///
  /// Only what may be a failed queue, by its name, is asked for its delivery limit.
  mutating func mustReplaceReturnedTasks(ofQueue queue: String) throws(AMQPError) -> Bool {
    guard queue.hasSuffix(".failed") else { return true }
    return try mayDropReturnedTasks(ofQueue: queue)
  }

  /// Whether the queue may drop a task that was only looked at, after many looks.
  ///
  /// RabbitMQ 4.0 to 4.2 do so, except in a failed queue as workers declare it. AMQP does not show a queue's
  /// delivery limit: declaring the queue in the same way tells whether it is one.
  mutating func mayDropReturnedTasks(ofQueue queue: String) throws(AMQPError) -> Bool {
    guard let version = BrokerVersion(broker: broker), version.limitsDeliveries, version.countsReturns else {
      return false
    }
    do throws(AMQPError) {
      _ = try declare(WaitingQueues.failedQueue(queue, on: version))
      return false
    } catch  where error.kind == .preconditionFailed || error.kind == .accessRefused {
      return true
    }
  }
}
