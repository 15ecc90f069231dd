package import AMQP

/// Visits the tasks that wait in a queue, however many, and returns all of them to their places.
///
/// Their next consumer sees them as redelivered. The broker requeues all of them when the process is killed.
package struct QueueLook: ~Copyable {
  /// The result of a look.
  package struct Result: Equatable, Sendable {
    /// Number of tasks that waited at the start.
    package let waiting: Int
    /// The number of tasks that were visited.
    package internal(set) var seen = 0
    /// The result for tasks whose deliveries come near the queue's limit.
    package internal(set) var replacement = Replacer.Result()
  }

  /// How long to continue beyond the tasks that waited at the start, if the queue is being filled.
  private static let overtime = Duration.seconds(10)
  /// Number of tasks that are replaced at a time.
  private static let replacementBatch = 500

  private let queue: String
  private let addresses: [Address]
  private let options: Connection.Options
  private let version: BrokerVersion?
  /// Whether the queue may drop tasks that were returned often.
  private let replaces: Bool
  private let limit: Int
  private var scan: QueueScan
  private var suspicious: [Delivery] = []
  private var result: Result

  /// Visits the first `limit` tasks in their order, until `visit` returns false or no more wait.
  ///
  /// If the queue limits deliveries and counts looks, copies replace tasks that were returned often. They are
  /// published to the first of the `addresses`.
  ///
  /// - Returns: nil when there is no such queue.
  /// - Throws: `unsupported` for a stream, and if the queue delivers only to another consumer; `timedOut`.
  package static func look(
    at queue: String, limit: Int = .max, isFailedQueue: Bool, on connection: inout Connection,
    via addresses: [Address], _ options: Connection.Options, visit: (Delivery) -> Bool
  ) throws(AMQPError) -> Result? {
    guard try connection.status(ofQueue: queue) != nil else { return nil }
    let replaces = try connection.mustReplaceReturnedTasks(ofQueue: queue, isFailedQueue: isFailedQueue)
    guard let status = try connection.knownStatus(ofQueue: queue, within: options.rpcTimeout) else {
      return nil
    }
    let version = BrokerVersion(broker: connection.broker)
    var look = QueueLook(queue, Int(status.waiting), limit, replaces, version, addresses, options)
    return try look.run(&connection, visit)
  }

  private init(
    _ queue: String, _ waiting: Int, _ limit: Int, _ replaces: Bool, _ version: BrokerVersion?,
    _ addresses: [Address], _ options: Connection.Options
  ) {
    (self.queue, self.addresses, self.options) = (queue, addresses, options)
    (self.replaces, self.version, self.limit) = (replaces, version, limit)
    scan = QueueScan(queue: queue, waiting: waiting, limit: limit, on: version, options)
    result = Result(waiting: waiting)
  }

  private mutating func run(
    _ connection: inout Connection, _ visit: (Delivery) -> Bool
  ) throws(AMQPError) -> Result {
    var end = Deadline.never
    var isWanted = limit > 0
    while true {
      if !isWanted { scan.finish() }
      switch try scan.next(&connection, within: options.rpcTimeout) {
      case .task(let task):
        // The tasks that arrive now are copies.
        if scan.hasCopies && scan.seen > result.waiting { isWanted = false }
        if isWanted {
          result.seen += 1
          isWanted = visit(task) && result.seen < limit
        }
        try take(task, &connection)
      case .nothing: break
      case .end where scan.isStopped:
        try replace(&connection)
        try scan.release(&connection, acknowledged: result.replacement.replaced)
        return result
      case .end: try scan.stop(&connection)
      }
      if end == .never, result.waiting > 0, scan.seen >= result.waiting { end = .after(Self.overtime) }
      if end.hasPassed { isWanted = false }
    }
  }

  private mutating func take(_ task: Delivery, _ connection: inout Connection) throws(AMQPError) {
    if replaces && Replacer.mustReplace(task, on: version) {
      suspicious.append(task)
    } else {
      scan.keep(task.tag)
    }
    if suspicious.count == Self.replacementBatch || scan.isHeldUp(by: suspicious.count) {
      try replace(&connection)
    }
  }

  private mutating func replace(_ connection: inout Connection) throws(AMQPError) {
    guard !suspicious.isEmpty else { return }
    let batch = try Replacer.replace(suspicious, in: queue, on: &connection, via: addresses, options)
    for task in suspicious where !batch.tags.contains(task.tag) { scan.keep(task.tag) }
    suspicious.removeAll()
    if !batch.tags.isEmpty { scan.hasCopies = true }
    result.replacement.replaced += batch.tags.count
    result.replacement.refusal = result.replacement.refusal ?? batch.refusal
  }
}

extension Connection {
  /// Whether a look counts as a delivery of these tasks: in a quorum queue, it brings them nearer to the limit.
  ///
  /// Such a queue adds a header to its tasks, up to RabbitMQ 3.12 from the first delivery on. Only if that is not
  /// enough is the broker asked for the queue's type.
  package mutating func countsLooks(at tasks: [Delivery], ofQueue queue: String) throws(AMQPError) -> Bool {
    let version = BrokerVersion(broker: broker)
    guard !tasks.isEmpty, version?.countsReturns != false else { return false }
    if tasks.contains(where: { $0.message.properties.headers?["x-delivery-count"] != nil }) { return true }
    if let version, version < BrokerVersion(3, 13) { return false }
    return try type(ofQueue: queue) == "quorum"
  }

  /// Whether tasks that a look returns to the queue must be replaced when they were returned often.
  ///
  /// Only a queue that may be a failed queue is checked for its delivery limit.
  mutating func mustReplaceReturnedTasks(
    ofQueue queue: String, isFailedQueue: Bool
  ) throws(AMQPError) -> Bool {
    guard isFailedQueue || queue.hasSuffix(".failed") else { return true }
    return try mayDropReturnedTasks(ofQueue: queue)
  }

  /// Whether the queue may drop a task after many looks at it.
  ///
  /// RabbitMQ 4.0 to 4.2 do so, except in a failed queue as workers declare it. AMQP does not show a queue's delivery
  /// limit, so the queue is declared in the same way: the broker accepts that for such a queue only.
  private mutating func mayDropReturnedTasks(ofQueue queue: String) throws(AMQPError) -> Bool {
    guard let version = BrokerVersion(broker: broker), version.limitsDeliveries, version.countsReturns else {
      return false
    }
    do throws(AMQPError) {
      _ = try declare(Declarations.failedQueue(queue, on: version))
      return false
    } catch  where error.kind == .preconditionFailed || error.kind == .accessRefused {
      return true
    }
  }

  /// The next event after tasks of a queue were requested; a refusal to deliver them is an error.
  ///
  /// The queue was looked up before, so no other connection has exclusive use of it. A refusal to get tasks from a
  /// "locked" queue therefore means that it delivers only to its single consumer.
  mutating func nextAnswer(from queue: String, within timeout: Duration) throws(AMQPError) -> Event? {
    let operation = "get tasks of queue '\(queue)'"
    let event: Event?
    do throws(AMQPError) {
      event = try nextEvent(within: timeout)
    } catch {
      // For a stream, the broker closes the connection.
      guard error.kind == .unsupported else { throw error }
      throw AMQPError(.unsupported, operation, error.detail)
    }
    guard case .channelClosed(let error) = event else { return event }
    throw AMQPError(error.kind == .locked ? .unsupported : error.kind, operation, error.detail)
  }
}
