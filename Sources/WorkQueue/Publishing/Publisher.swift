package import AMQP

/// Publishes the tasks of a source, and reports the result of each.
///
/// 1. A task is published when the broker has confirmed it; see `Sender`.
/// 2. A broker that is unreachable, or accepts nothing, is tried again for `retryFor`.
/// 3. It reads its source only as fast as the broker confirms, and never waits for only one of the two.
/// 4. After a signal to stop it waits for the confirms in flight, for `confirmTimeout` at most.
package struct Publisher: ~Copyable {
  private let options: SenderOptions
  /// How long to keep trying a broker that is unreachable or accepts nothing.
  private let retryFor: Duration
  private let report: (SenderEvent) -> Void
  private var sender: Sender<PublishTask>
  /// Until when to keep trying a broker that is unreachable or accepts nothing.
  private var retryUntil: Deadline?
  /// Until when to wait for confirms after a signal to stop.
  private var stopUntil: Deadline?
  private var hasGreeted = false
  private var hasDeclined = false

  /// `report` is called for events while messages are sent.
  package init(_ options: SenderOptions, retryFor: Duration, report: @escaping (SenderEvent) -> Void) {
    (self.options, self.retryFor, self.report) = (options, retryFor, report)
    sender = Sender(options, report: report)
  }

  /// Number of tasks waiting in these queues together; a missing queue has none.
  package mutating func waiting(in queues: [String]) throws(AMQPError) -> Int {
    while true {
      do throws(AMQPError) {
        var count = 0
        for queue in queues { count += Int(try sender.status(ofQueue: queue)?.waiting ?? 0) }
        return count
      } catch {
        try retry(after: error)
      }
    }
  }

  /// Publishes all that the source has, and reports the result of each task to it.
  ///
  /// - Throws: the error that ended it before the end of the source. The unconfirmed tasks were reported as failed.
  package mutating func publish(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) {
    while true {
      do throws(AMQPError) {
        if try serve(&source) { return }
      } catch {
        do throws(AMQPError) {
          try retry(after: error)
        } catch {
          let failure = PublishFailure(.connection(error.kind), error.detail)
          for task in sender.shutDownNow() { source.settled(task, .failed(failure)) }
          throw error
        }
      }
    }
  }

  /// Closes the connection, if there is one.
  package consuming func close() {
    sender.disconnect()
  }

  // MARK: The loop

  /// One turn of the loop: sends what may be sent, reads what has arrived, and waits for more.
  ///
  /// - Returns: whether everything is done.
  private mutating func serve(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> Bool {
    try sender.connect()
    let item = try fill(&source)
    while let (parcel, reply) = try sender.next() { settle(parcel, reply, &source) }
    greet()
    if item == .end && sender.isIdle {
      if options.confirms { return true }
      return try sender.isRead()
    }
    if item == nil && sender.hasRoom { return false }
    let deadline = min(try stopDeadline(), sender.nextDeadline)
    let socket = sender.descriptor ?? -1
    var readable = [socket]
    if case .wait(let input) = item { readable.append(input) }
    if Signals.stop == nil { readable.append(Interruption.attempt) }
    EventLoop.wait(for: readable, writable: sender.waitsForWriting ? socket : -1, until: deadline)
    return false
  }

  /// Sends tasks while there is room.
  ///
  /// - Returns: why no more was sent: the source's state, or nil when the window is full or nothing may be sent now.
  private mutating func fill(_ source: inout some TaskSource & ~Copyable) throws(AMQPError) -> SourceItem? {
    try sender.flush()
    while sender.hasRoom {
      let item = source.next()
      guard case .task(let task) = item else { return item }
      try sender.send(task)
    }
    return nil
  }

  private mutating func settle(
    _ parcel: Sender<PublishTask>.Parcel, _ reply: BrokerReply,
    _ source: inout some TaskSource & ~Copyable
  ) {
    let task = parcel.item
    func fail(_ kind: PublishFailure.Kind, _ reason: String) {
      source.settled(task, .failed(PublishFailure(kind, reason)))
    }
    switch reply {
    case .confirmed:
      retryUntil = nil
      source.settled(task, .published)
    case .refused(let reason):
      retryUntil = nil
      fail(.refused, reason)
    case .unroutable(let reason): fail(.refused, "unroutable: \(reason)")
    case .missing(let reason): fail(.noQueue, reason)
    case .declined(let reason):
      if retries(parcel, reply, reason) || sender.looksUpQueue(of: parcel, before: reply) { return }
      fail(.refused, reason)
    }
  }

  /// Schedules a task for sending again that the broker has declined.
  ///
  /// - Returns: false when the time for retries is over, or none was given.
  private mutating func retries(
    _ parcel: Sender<PublishTask>.Parcel, _ reply: BrokerReply, _ reason: String
  ) -> Bool {
    guard let until = retryEnd() else { return false }
    sender.sendLater(parcel, after: reply, by: until)
    if !hasDeclined { report(.declined(reason: reason, timeout: retryFor)) }
    hasDeclined = true
    return true
  }

  private mutating func greet() {
    let broker = sender.broker
    guard !hasGreeted && !broker.isEmpty else { return }
    hasGreeted = true
    if let address = sender.address { report(.connected(broker: broker, address: address)) }
  }

  // MARK: Errors and signals

  /// Until when to try a broker again; nil when the time is over, or none was given.
  private mutating func retryEnd() -> Deadline? {
    guard retryFor > .zero else { return nil }
    let until = retryUntil ?? .after(retryFor)
    retryUntil = until
    return until.hasPassed ? nil : until
  }

  /// Waits for the next attempt, if there is one.
  ///
  /// - Throws: the error, if there is no next attempt.
  private mutating func retry(after error: AMQPError) throws(AMQPError) {
    // Without confirms it is unknown which tasks would have to be sent again.
    guard !sender.hasUnreadMessages, Signals.stop == nil else { throw error }
    let unconfirmed = sender.unconfirmed
    var delay = Duration.zero
    if !sender.lose(error) {
      guard error.isTransient, let until = retryEnd() else { throw error }
      delay = sender.scheduleRetry(by: until)
    }
    report(.lost(error, unconfirmed: unconfirmed, retry: delay))
    EventLoop.wait(for: [Interruption.attempt], until: .after(delay))
  }

  /// When to check again whether stopping has taken too long.
  ///
  /// - Throws: `interrupted` when it has, after a second signal, or when nothing is in flight.
  private mutating func stopDeadline() throws(AMQPError) -> Deadline {
    guard let signal = Signals.stop else { return .never }
    let until = stopUntil ?? .after(options.confirmTimeout)
    stopUntil = until
    let isWaiting = sender.unconfirmed > 0 || sender.isOpen && !sender.isPaused
    guard !until.hasPassed, !Interruption.hasEndedRequests, isWaiting else {
      throw Self.stopped(by: signal)
    }
    return min(until, .after(.milliseconds(100)))
  }

  /// Why tasks are not published after a signal to stop.
  package static func stopped(by signal: Int32) -> AMQPError {
    AMQPError(.interrupted, "publish", "stopped by \(Signals.name(of: signal))")
  }
}

extension PublishTask: Outgoing {
  var route: Route { envelope.delay.map { .delay($0) } ?? .direct }
}
