package import AMQP

/// Looks at a queue's waiting tasks and leaves them where they are.
///
/// It takes them all before it gives them back in one go: given back one by one, the same task would come
/// again, and the order would be lost. Whoever gets them later sees them as redelivered.
package enum Peeker {
  /// So many are asked for before the first answer is here.
  private static let window = 100

  /// What was seen.
  package struct Look {
    /// The first tasks that wait.
    package let tasks: [Delivery]
    /// How many wait in all.
    package let waiting: UInt32
    /// What became of those whose deliveries come near the queue's limit.
    package let replacement: Replacer.Result
  }

  /// Looks at the first `count` tasks that wait, or at all when fewer wait.
  ///
  /// Where the queue limits deliveries and counts looks, tasks that came back often are replaced by copies,
  /// which are published to the first of the `addresses`.
  ///
  /// - Throws: `notFound`; `unsupported` for a stream; `locked` where only its one consumer gets tasks;
  ///   `timedOut`.
  package static func peek(
    _ connection: inout Connection, queue: String, count: Int, via addresses: [Address],
    _ options: Connection.Options
  ) throws(AMQPError) -> Look {
    let timeout = options.rpcTimeout
    guard let found = try connection.status(ofQueue: queue) else {
      throw AMQPError(.notFound, "get tasks of queue '\(queue)'", "there is no such queue")
    }
    let limitsReturns = try connection.mustReplaceReturnedTasks(ofQueue: queue)
    var tasks: [Delivery] = []
    var (asked, answered, isExhausted) = (0, 0, false)
    while answered < asked || asked < count && !isExhausted {
      while asked < count && asked - answered < window && !isExhausted {
        try connection.ask(queue: queue)
        asked += 1
      }
      guard let event = try connection.nextAnswer(from: queue, within: timeout) else {
        throw AMQPError(.timedOut, "get tasks of queue '\(queue)'", "the broker did not answer in time")
      }
      switch event {
      case .got(let task?):
        answered += 1
        tasks.append(task)
      case .got(nil):
        answered += 1
        isExhausted = true
      case .confirmed, .returned, .delivered, .cancelled, .channelClosed, .blocked, .unblocked: break
      }
    }
    let version = BrokerVersion(broker: connection.broker)
    let replacement = try Replacer.replace(
      limitsReturns ? tasks.filter { Replacer.mustReplace($0, on: version) } : [], in: queue, on: &connection,
      via: addresses,
      options)
    if replacement.replaced > Replacer.fewAcks {
      _ = try connection.takeOneMore(of: queue, within: timeout)
    }
    if !tasks.isEmpty { try connection.requeueAll() }
    // The broker answers in order: with this answer the tasks are back.
    _ = try connection.status(ofQueue: queue)
    return Look(tasks: tasks, waiting: found.waiting, replacement: replacement)
  }

  /// Whether each look at a task counts as a delivery of it: it does in a quorum queue, whose limit of
  /// deliveries it brings nearer.
  ///
  /// Such a queue marks its tasks, up to RabbitMQ 3.12 from the first delivery on. Only where that leaves a
  /// doubt is the broker asked for the queue's type.
  package static func countsDeliveries(
    _ connection: inout Connection, queue: String, tasks: [Delivery]
  ) throws(AMQPError) -> Bool {
    guard !tasks.isEmpty else { return false }
    if BrokerVersion(broker: connection.broker)?.countsReturns == false { return false }
    if tasks.contains(where: { $0.message.properties.headers?["x-delivery-count"] != nil }) { return true }
    if let version = BrokerVersion(broker: connection.broker), version < BrokerVersion(3, 13) { return false }
    return try connection.type(ofQueue: queue) == "quorum"
  }
}

extension Connection {
  /// The next event after tasks of a queue were asked for; that the broker does not give them is an error.
  ///
  /// The queue was found before. So nobody else has it for himself, and a refusal to get tasks from a
  /// "locked" queue means that only its one consumer may have them.
  mutating func nextAnswer(from queue: String, within timeout: Duration) throws(AMQPError) -> Event? {
    let operation = "get tasks of queue '\(queue)'"
    let event: Event?
    do throws(AMQPError) {
      event = try nextEvent(within: timeout)
    } catch {
      // For a stream the broker closes the connection.
      guard error.kind == .unsupported else { throw error }
      throw AMQPError(.unsupported, operation, error.detail)
    }
    guard case .channelClosed(let error) = event else { return event }
    throw AMQPError(error.kind == .locked ? .unsupported : error.kind, operation, error.detail)
  }
}
