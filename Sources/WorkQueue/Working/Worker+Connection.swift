internal import AMQP

/// Getting a connection, and getting it again.
extension Worker {
  /// Connects for the first time; with patience only where it was asked for.
  mutating func connectFirst(_ signals: borrowing Signals) throws(AMQPError) {
    let end = Deadline.after(options.reconnectsFor ?? .zero)
    while subscription == nil {
      if let signal = stopSignals(signals).first { return stop(.signal(signal)) }
      do throws(AMQPError) {
        let first = try Subscription.open(options)
        report(.waiting(broker: first.broker, address: first.address))
        warn(of: first)
        subscription = consume first
      } catch {
        if let signal = stopSignals(signals).first { return stop(.signal(signal)) }
        if error.kind == .interrupted { continue }  // by a signal that does not ask to stop
        guard error.isTransient, !end.hasPassed else { throw error }
        let next = min(.after(backoff.delay()), end)
        report(.unreachable(error, retry: next.remaining))
        Poll.wait(for: [signals.descriptor], until: next)
      }
    }
    backoff.reset()
    mustRead = true
  }

  /// Notes the time limit that holds for tasks, and reports one that does not fit the options.
  private mutating func warn(of new: borrowing Subscription) {
    if options.policy.requeuesForEver, new.version?.limitsDeliveries == true {
      report(.requeuesForEver(broker: new.broker))
    }
    if new.knowsTimeouts { return consumerTimeout.asked(for: new.askedTimeout) }
    guard options.command?.timeout != nil, let needed = options.neededTimeout, let version = new.version,
      needed > ConsumerTimeout.usual
    else { return }
    let broker = "RabbitMQ \(version.major).\(version.minor)"
    report(.timeoutTooShort(broker: broker, needed: needed, usual: ConsumerTimeout.usual))
  }

  /// The broker ended a consumer: the queue is gone, or a task took too long.
  mutating func cancelled(_ consumer: String) throws(AMQPError) {
    mustRead = true
    switch try subscription?.cancelled(consumer) {
    case .timedOut(let tasks):
      dropWaiting()
      // Without a void one, the result of the late task was sent before we knew.
      if tasks > 0 || subscription?.isConsuming == false {
        report(.timedOut(tasks: tasks, limit: consumerTimeout.limit))
      }
    case .queueGone:
      report(.cancelled(queue: options.queue))
      try handBackWaiting()
    case nil: return
    }
    if subscription?.isConsuming == false { try resume() }
  }

  mutating func resume() throws(AMQPError) {
    guard stopReason == nil else { return }
    try subscription?.consume()
    mustRead = true
    report(.resumed(queue: options.queue))
  }

  mutating func reconnect() throws(AMQPError) {
    let new = try Subscription.open(options, asksForTimeout: !consumerTimeout.isRefused)
    report(.reconnected(broker: new.broker, address: new.address))
    if new.knowsTimeouts { consumerTimeout.asked(for: new.askedTimeout) }
    subscription = consume new
    backoff.reset()
    patienceEnd = .never
    idleSince = .now
  }

  /// Takes note that the connection is gone, or could not be made again.
  mutating func lose(_ error: AMQPError) {
    // The signal itself is reported, and ends the attempts.
    if error.kind == .interrupted && subscription == nil { return }
    let isNew = subscription != nil
    let results = subscription?.lostResults ?? 0
    subscription = nil
    tally.done -= results
    tally.inVain += results
    if isNew {
      dropWaiting()
      if let patience = options.reconnectsFor { patienceEnd = .after(patience) }
    }
    let delay = backoff.delay()
    let givesUp = !error.isTransient || patienceEnd.hasPassed
    // The last attempt comes when patience ends, not long before.
    nextAttempt = min(.after(delay), patienceEnd)
    let retry = givesUp || stopReason != nil ? nil : nextAttempt.remaining
    if isNew {
      report(.lost(error, running: running.count, results: results, retry: retry))
    } else if !givesUp {
      report(.unreachable(error, retry: retry))
    }
    if givesUp { stop(.failure(error)) }
  }
}
