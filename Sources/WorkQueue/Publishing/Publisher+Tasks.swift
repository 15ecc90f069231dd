internal import AMQP
internal import Glibc

// MARK: Tasks

extension Publisher {
  mutating func send(
    _ task: PublishTask, returns: Int = 0, _ source: inout some TaskSource & ~Copyable
  ) throws(AMQPError) {
    do throws(AMQPError) {
      let ticket: Int?
      if let delay = task.envelope.delay {
        var envelope = task.envelope
        let week = ISOWeek(secondsSince1970: time(nil))
        let queue = WaitingQueue.delay(of: envelope.routingKey, by: delay, in: week)
        guard let name = try declare(queue) else {
          return source.settled(task, .failed(Self.noQueue(queue.workQueue)))
        }
        envelope.routingKey = name
        ticket = try pipeline?.send(envelope)
      } else {
        ticket = try pipeline?.send(task.envelope)
      }
      guard let ticket else { return again.append(task) }
      if options.confirms {
        onTheirWay[ticket] = Sent(task: task, returns: returns)
      } else {
        hasUnreadTasks = true
        source.settled(task, .published)
      }
    } catch  where error.kind == .tooLarge {
      source.settled(task, .failed(PublishFailure(.refused, error.detail)))
    } catch {
      // Of this task nobody else knows.
      again.append(task)
      throw error
    }
  }

  mutating func settle(
    _ sent: Sent, _ ticket: Int, _ verdict: BrokerReply, _ source: inout some TaskSource & ~Copyable
  ) throws(AMQPError) {
    let task = sent.task
    switch verdict {
    case .confirmed: source.settled(task, .published)
    case .declined(let reason) where putOff(task, reason): break
    case .declined(let reason):
      _ = try exists(task)
      source.settled(task, .failed(PublishFailure(.refused, reason)))
    case .refused(let reason): source.settled(task, .failed(PublishFailure(.refused, reason)))
    case .unroutable(let reason)
    where !task.envelope.exchange.isEmpty || task.envelope.routingKey.isEmpty || sent.returns > 2:
      source.settled(task, .failed(PublishFailure(.refused, "no queue takes it: \(reason)")))
    case .unroutable where !options.declares && task.envelope.delay == nil:
      guard try exists(task) else {
        return source.settled(task, .failed(Self.noQueue(task.envelope.routingKey)))
      }
      try send(task, returns: sent.returns + 1, &source)
    case .unroutable:
      if task.envelope.delay == nil {
        do throws(AMQPError) {
          try make(task.envelope.routingKey, becauseOf: ticket)
        } catch {
          again.append(task)
          throw error
        }
      } else {
        waitingQueues.forget()
      }
      try send(task, returns: sent.returns + 1, &source)
    }
  }

  /// Has a task wait that the broker does not take now.
  ///
  /// - Returns: false when patience is at its end, or was not asked for.
  private mutating func putOff(_ task: PublishTask, _ reason: String) -> Bool {
    guard options.retryFor > .zero else { return false }
    let until = retryUntil ?? .after(options.retryFor)
    retryUntil = until
    guard !until.hasPassed else { return false }
    again.append(task)
    isDeclined = true
    if againTime.hasPassed { againTime = min(.after(backoff.delay()), until) }
    if !hasDeclined { report(.declined(reason: reason, patience: options.retryFor)) }
    hasDeclined = true
    return true
  }

  /// Whether the queue of a task exists that the broker did not take.
  ///
  /// - Throws: `unavailable` when the queue exists and cannot be reached: then the task is kept to be sent again.
  private mutating func exists(_ task: PublishTask) throws(AMQPError) -> Bool {
    let envelope = task.envelope
    guard envelope.exchange.isEmpty, !envelope.routingKey.isEmpty else { return true }
    if let exists = made.answer(for: envelope.routingKey) { return exists }
    do throws(AMQPError) {
      let exists = try pipeline?.status(ofQueue: envelope.routingKey) != nil
      made.answered(exists, for: envelope.routingKey)
      return exists
    } catch {
      again.append(task)
      throw error
    }
  }

  /// Makes a queue for want of which a task came back, unless that was done after the task was sent.
  private mutating func make(_ queue: String, becauseOf ticket: Int) throws(AMQPError) {
    guard made.isMissing(queue, at: ticket) else { return }
    report(.declaring(queue: queue))
    try pipeline?.ensure(queue: queue)
    made.made(queue, before: pipeline?.nextTicket ?? 0)
  }

  /// Declares the queue in which tasks wait for their delay, and the work queue, once on each connection.
  ///
  /// - Returns: the name to publish to; nil when the work queue is missing, and is not to be made.
  private mutating func declare(_ queue: WaitingQueue) throws(AMQPError) -> String? {
    if let name = waitingQueues.name(of: queue) { return name }
    if options.declares {
      try pipeline?.ensure(queue: queue.workQueue)
    } else if try pipeline?.status(ofQueue: queue.workQueue) == nil {
      return nil
    }
    return try waitingQueues.declare(queue, on: &pipeline) { report(.waitingQueue($0)) }
  }

  private static func noQueue(_ name: String) -> PublishFailure {
    PublishFailure(.noQueue, "queue '\(name)' does not exist")
  }
}

// MARK: Without confirms

extension Publisher {
  /// A task that nobody waits for came back.
  mutating func handBack(_ envelope: Envelope, _ reason: String) throws(AMQPError) {
    // Of an empty name the broker would make a queue of any name.
    guard envelope.exchange.isEmpty && !envelope.routingKey.isEmpty else {
      throw AMQPError(.unroutable, "publish", "no queue takes it: \(reason)")
    }
    guard options.declares else {
      throw AMQPError(.notFound, "publish to queue '\(envelope.routingKey)'", "it does not exist")
    }
    report(.declaring(queue: envelope.routingKey))
    try pipeline?.ensure(queue: envelope.routingKey)
    _ = try pipeline?.send(envelope)
  }

  /// Waits until the broker has read all that was sent.
  ///
  /// - Returns: whether nothing came back that must be sent again.
  mutating func isRead(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> Bool {
    try pipeline?.waitUntilRead()
    var isQuiet = true
    while let notice = try pipeline?.next(within: .zero) {
      try handle(notice, &source)
      isQuiet = false
    }
    return isQuiet
  }
}

/// Which queues a publisher has seen to on its present connection.
struct MadeQueues {
  /// The first ticket after the queue was made.
  private var boundaries: [String: Int] = [:]
  private var answers: [String: (exists: Bool, until: Deadline)] = [:]

  /// Whether the queue was missing when this ticket's task was sent, as far as we know.
  func isMissing(_ queue: String, at ticket: Int) -> Bool { ticket >= boundaries[queue] ?? 0 }
  mutating func made(_ queue: String, before ticket: Int) { boundaries[queue] = ticket }

  /// What the broker has just answered about a queue, so that it is not asked for each of many tasks.
  func answer(for queue: String) -> Bool? { answers[queue].flatMap { $0.until.hasPassed ? nil : $0.exists } }
  mutating func answered(_ exists: Bool, for queue: String) { answers[queue] = (exists, .after(.seconds(1))) }
}
