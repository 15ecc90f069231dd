package import AMQP

// MARK: The connection

extension Publisher {
  mutating func connect() throws(AMQPError) {
    guard pipeline == nil else { return }
    var settings = options.connection
    settings.rpcTimeout = options.confirmTimeout
    pipeline = try Pipeline(
      firstOf: addresses, settings, confirms: options.confirms, mixesExchanges: options.mixesExchanges,
      leavesHeadroom: true)
    made = MadeQueues()
    isDeclined = false
    hasUnreadTasks = false
    waitingQueues.forget()
  }

  /// Closes the connection, on which nothing is unconfirmed.
  mutating func disconnect() {
    pipeline.take()?.close()
  }

  /// Waits for the next attempt, if there is to be one.
  ///
  /// - Throws: the error, when there is none.
  mutating func retry(after error: AMQPError) throws(AMQPError) {
    // Without confirms nobody knows which tasks would have to be sent again.
    guard !hasUnreadTasks, Signals.stop == nil else { throw error }
    let delay = try movesOn(after: error) ? .zero : pause(after: error)
    report(.lost(error, onTheirWay: onTheirWay.count, retry: delay))
    pipeline = nil
    blockedReason = nil
    (again, againTime) = (Fifo(takeUnsettled()), .now)
    EventLoop.wait(for: [Interruption.attempt], until: .after(delay))
  }

  /// When to look again whether a stop has taken too long.
  ///
  /// - Throws: `interrupted` when it has, when a second signal ends it, or when nothing is in flight.
  mutating func stopDue() throws(AMQPError) -> Deadline {
    guard let signal = Signals.stop else { return .never }
    let until = stopUntil ?? .after(options.confirmTimeout)
    stopUntil = until
    guard !until.hasPassed, !Interruption.hasEndedRequests, !isPaused || !onTheirWay.isEmpty else {
      throw Self.stopped(by: signal)
    }
    return min(until, .after(.milliseconds(100)))
  }

  /// Why tasks are not published after a signal to stop.
  package static func stopped(by signal: Int32) -> AMQPError {
    AMQPError(.interrupted, "publish", "stopped by \(Signals.name(of: signal))")
  }

  /// Whether the next broker is to be tried at once: this one fails for now, and not all have failed yet.
  private mutating func movesOn(after error: AMQPError) -> Bool {
    guard error.isTransient, let address = pipeline?.address else { return false }
    addresses.moveToEnd(address)
    refusals += 1
    return refusals < addresses.count
  }

  /// How long to wait before the next attempt.
  ///
  /// - Throws: the error, when there is to be none.
  private mutating func pause(after error: AMQPError) throws(AMQPError) -> Duration {
    guard error.isTransient, options.retryFor > .zero else { throw error }
    let until = retryUntil ?? .after(options.retryFor)
    retryUntil = until
    guard !until.hasPassed else { throw error }
    refusals = 0
    return min(backoff.delay(), until.remaining ?? .zero)
  }

  /// All tasks of which it is not known that they were published, in the order of their source.
  private mutating func takeUnsettled() -> [PublishTask] {
    var tasks = onTheirWay.values.map(\.task)
    onTheirWay = [:]
    while let task = again.popFirst() { tasks.append(task) }
    return tasks.sorted { $0.number < $1.number }
  }

  mutating func giveUp(on source: inout some TaskSource & ~Copyable, _ error: AMQPError) {
    let failure = PublishFailure(.connection(error.kind), error.detail)
    for task in takeUnsettled() { source.settled(task, .failed(failure)) }
    pipeline = nil
  }

  var timedOut: AMQPError {
    let reason = blockedReason.map { "the broker blocks publishers: \($0)" }
    return AMQPError(.timedOut, "publish", reason ?? "the broker has not confirmed the task in time")
  }
}
