internal import AMQP

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
    hasUnreadTasks = false
  }

  /// Waits for the next attempt, if there is to be one.
  ///
  /// - Throws: the error, when there is none.
  mutating func retry(after error: AMQPError) throws(AMQPError) {
    // Without confirms nobody knows which tasks would have to be sent again.
    guard !hasUnreadTasks else { throw error }
    let delay = try movesOn(after: error) ? .zero : pause(after: error)
    report(.lost(error, onTheirWay: onTheirWay.count, retry: delay))
    pipeline = nil
    blockedReason = nil
    var open = onTheirWay.sorted { $0.key < $1.key }.map(\.value.task)
    while let task = again.popFirst() { open.append(task) }
    (onTheirWay, again, againTime) = ([:], Fifo(open), .now)
    Poll.wait(for: [], until: .after(delay))
  }

  /// Whether the next broker is to be tried at once: this one refuses for now, and not all have refused yet.
  private mutating func movesOn(after error: AMQPError) -> Bool {
    guard error.kind == .unavailable, let address = pipeline?.address else { return false }
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

  mutating func giveUp(on source: inout some TaskSource & ~Copyable, _ error: AMQPError) {
    let failure = PublishFailure(.connection(error.kind), error.detail)
    for (_, sent) in onTheirWay.sorted(by: { $0.key < $1.key }) {
      source.settled(sent.task, .failed(failure))
    }
    onTheirWay = [:]
    while let task = again.popFirst() { source.settled(task, .failed(failure)) }
    pipeline = nil
  }

  var timedOut: AMQPError {
    let reason = blockedReason.map { "the broker takes no tasks: \($0)" }
    return AMQPError(.timedOut, "publish", reason ?? "the broker has not confirmed the task in time")
  }
}
