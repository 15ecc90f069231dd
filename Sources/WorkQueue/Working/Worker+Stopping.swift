internal import AMQP
internal import Glibc

/// When the worker stops, and how.
extension Worker {
  /// How long copies that cannot be published are waited for when nothing else is left.
  private static let patienceWithCopies = Duration.seconds(5)
  /// How long commands may take to end when the worker leaves at once, before they are killed.
  private static let patienceWithCommands = Duration.seconds(1)
  /// How long the broker may take to read and answer when the worker leaves at once.
  private static let patienceWithTheBroker = Duration.milliseconds(400)
  /// How long nothing must have happened before the queue is looked at: the next task may be on its way.
  private static let lookDelay = Duration.milliseconds(20)
  /// How often a queue that is not ours alone is looked at.
  private static let lookInterval = Duration.milliseconds(250)
  /// How long a task that was requeued may take until the broker counts or redelivers it.
  static let requeueTime = Duration.seconds(1)
  /// How often a doubtful answer is asked for anew: a stream has no other.
  private static let mostDoubts = 40

  /// Whether there is nothing left to be done before leaving.
  var isOver: Bool { stopReason != nil && running.isEmpty && waiting.isEmpty && retrier.pending == 0 }

  /// When a bound or a limit is reached, if nothing comes in before.
  var nextBound: Deadline {
    guard stopReason == nil else { return min(graceEnd, copiesEnd) }
    var moment = maxTimeEnd
    if isIdle && subscription != nil {
      if let timeout = options.bounds.idleTimeout { moment = min(moment, idleSince + timeout) }
      if options.bounds.drains { moment = min(moment, nextLook) }
    }
    return moment
  }

  private var isIdle: Bool { running.isEmpty && waiting.isEmpty && retrier.pending == 0 }
  private var maxTimeEnd: Deadline { options.bounds.maxTime.map { started + $0 } ?? .never }

  /// Stops if it is time to.
  mutating func checkBounds() throws(AMQPError) {
    guard stopReason == nil else { return checkLimits() }
    guard options.bounds.isBounded else { return }
    if maxTimeEnd.hasPassed { return stop(.bound) }
    guard isIdle, subscription != nil else {
      (idleSince, nextLook) = (.now, .after(Self.lookDelay))
      return
    }
    if let timeout = options.bounds.idleTimeout, (idleSince + timeout).hasPassed { return stop(.bound) }
    if options.bounds.drains && nextLook.hasPassed { try lookForMore() }
  }

  /// Ends what has had its time since the stop began.
  private mutating func checkLimits() {
    if graceEnd.hasPassed {
      graceEnd = .never
      if !running.isEmpty { report(.graceIsOver(running: running.count)) }
      interruptRunning()
    }
    guard running.isEmpty && waiting.isEmpty && retrier.pending > 0 else { return }
    if copiesEnd == .never { copiesEnd = .after(Self.patienceWithCopies) }
    guard copiesEnd.hasPassed || subscription == nil && options.acknowledges else { return }
    do throws(AMQPError) {
      for copy in retrier.abandon() {
        // What was not run is counted already.
        if copy.number != nil { tally.handedBack += 1 }
        try subscription?.handBack(copy.tag)
      }
    } catch {
      lose(error)
    }
  }

  /// Looks whether the queue is empty, and leaves when it is.
  ///
  /// The count that the broker gives does not hold what it is just sending us; so the consumer is ended
  /// first, what arrived until then is worked on, and only a second look decides. A busy quorum queue has
  /// the broker say 0 tasks and 0 consumers for want of an answer: while we consume, that cannot be.
  private mutating func lookForMore() throws(AMQPError) {
    mustRead = true
    if options.bounds.waitsForRetries, let end = calendar.nextExpected() {
      if subscription?.isConsuming == false { try subscription?.consume() }
      nextLook = end
      return
    }
    if let patience = options.bounds.idleTimeout, calendar.expects(within: patience) {
      if subscription?.isConsuming == false { try subscription?.consume() }
      nextLook = calendar.next()
      return
    }
    let isConsuming = subscription?.isConsuming == true
    let found = try subscription?.status()
    let isEmpty = found.map { $0.waiting == 0 } ?? true
    if isConsuming, isEmpty, replacements.isInQueue || !requeueEnd.hasPassed {
      // It may be in flight, or not be counted yet.
      nextLook = .after(Self.lookInterval)
    } else if isConsuming, isEmpty, found?.consumers == 0, doubts < Self.mostDoubts {
      doubts += 1
      nextLook = .after(Self.lookInterval)
    } else if isConsuming && isEmpty {
      (doubts, begunAtLook) = (0, begun + replacements.confirmed)
      try subscription?.stopConsuming()
      nextLook = .now
    } else if isEmpty && begun + replacements.confirmed == begunAtLook {
      stop(.bound)
    } else {
      if !isConsuming { try subscription?.consume() }
      nextLook = isEmpty ? .now : .after(Self.lookInterval)
    }
  }

  /// Takes no more tasks and gives back those not begun; what runs may finish.
  mutating func stop(_ reason: StopReason) {
    guard stopReason == nil else {
      if reason.isFailure && stopReason?.isFailure == false { stopReason = reason }
      return
    }
    stopReason = reason
    mustRead = true
    if case .signal = reason, let grace = options.grace { graceEnd = .after(grace) }
    var handedBack = 0
    do throws(AMQPError) {
      try subscription?.stopConsuming()
      handedBack = try handBackWaiting()
      if reason.isFailure { waiting = Fifo() }
    } catch {
      lose(error)
    }
    report(.stopping(reason, running: running.count, handedBack: handedBack))
  }

  /// Ends the running tasks, to be given back.
  private mutating func interruptRunning() {
    for index in running.indices.reversed() {
      guard running[index].child == nil else {
        running[index].end(.interrupted, killAfter: command?.options.killAfter ?? .zero)
        continue
      }
      do throws(AMQPError) {
        try finish(running.remove(at: index), .interrupted)
      } catch {
        lose(error)
      }
    }
  }

  /// Leaves in peace: the broker hears all that there is to say.
  mutating func leave() {
    sayAll()
    subscription.take()?.close()
    retrier.disconnect()
    tally.scheduled = calendar.scheduled()
    report(.stopped(tally, after: .now - started))
  }

  /// Leaves now: commands are ended, tasks go back.
  mutating func abandon(_ signal: Int32, _ signals: borrowing Signals) -> Ending {
    let count = running.count + waiting.count + retrier.pending
    report(.abandoned(running: count, acknowledges: options.acknowledges))
    interruptRunning()
    let killAfter = min(Self.patienceWithCommands, command?.options.killAfter ?? .zero)
    let end = Deadline.after(killAfter)
    var wasKilled = false
    while !running.isEmpty {
      if !wasKilled && (end.hasPassed || !stopSignals(signals).isEmpty) {
        wasKilled = true
        for job in running { job.child?.kill() }
      }
      Poll.wait(
        for: [signals.descriptor, signals.childDescriptor],
        until: wasKilled ? .after(Self.patienceWithCommands) : end)
      signals.receiveChildren()
      reap()
    }
    do throws(AMQPError) {
      for copy in retrier.abandon() { try subscription?.handBack(copy.tag) }
      try handBackWaiting(replaces: false)
    } catch {
      subscription = nil
    }
    sayAll()
    subscription.take()?.close(by: .after(Self.patienceWithTheBroker))
    return .killed(signal: signal)
  }

  /// Tells the broker of all that is done; closing the connection waits until it has read that.
  private mutating func sayAll() {
    do throws(AMQPError) {
      try subscription?.flush()
    } catch {
      subscription = nil  // the broker redelivers those tasks
    }
  }
}
