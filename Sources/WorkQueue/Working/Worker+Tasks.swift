internal import AMQP
internal import Glibc

/// The way of a task through the worker.
extension Worker {
  /// Begins what may begin.
  mutating func startWaiting() throws(AMQPError) {
    var later = Fifo<Waiting>()
    while running.count < options.jobs, !isFull, let next = waiting.popFirst() {
      if !options.policy.retriesByBroker, recordStart(next) { continue }
      if replacements.isPending && next.delivery.history.starts > 0 {
        later.append(next)
      } else {
        try start(next)
      }
    }
    if !later.isEmpty {
      while let next = waiting.popFirst() { later.append(next) }
      waiting = later
    }
    replaceCompanions()
    if isFull && stopReason == nil { stop(.bound) }
  }

  /// Whether no more tasks are to be begun: as many as wanted were, or none can be.
  private var isFull: Bool {
    if let count = options.bounds.count, begun >= count { return true }
    return stopReason?.isFailure == true
  }

  private mutating func start(_ next: Waiting) throws(AMQPError) {
    begun += 1
    calendar.remove(next.delivery.message)
    let attempt = options.policy.attempt(of: next.delivery)
    var job = Job(
      number: begun, delivery: next.delivery, attempt: attempt, started: .now, received: next.received,
      work: .none)
    let history = next.delivery.history
    guard !history.hasKilledWorkers || !options.acknowledges else {
      return try finish(job, .workersDied(starts: history.starts))
    }
    guard !options.policy.isExhausted(before: attempt) else {
      return try finish(job, .exhausted(times: attempt - 1))
    }
    if let command {
      try start(command, &job)
    } else {
      report(.started(job))
      let duration = FakeWork.duration(of: job.delivery.message.body, dot: options.dot)
      guard duration > .zero else { return try finish(job, .pretended) }
      job.work = .pretended(until: job.started + duration)
      begin(job)
    }
  }

  private mutating func start(_ command: Command, _ job: inout Job) throws(AMQPError) {
    do throws(Command.Failure) {
      let child = try command.start(
        job.delivery, queue: options.queue, number: job.number, attempt: job.attempt)
      job.work = .command(child)
    } catch {
      switch error {
      case .unfit(let reason): return try finish(job, .unfit(reason))
      case .unrunnable(let reason, let isTemporary):
        return try finish(job, .unrunnable(reason, isTemporary: isTemporary))
      }
    }
    if let timeout = command.options.timeout { job.limit = job.started + timeout }
    report(.started(job))
    begin(job)
  }

  private mutating func begin(_ job: Job) {
    var job = job
    if options.acknowledges { job.warningTime = job.received + consumerTimeout.warningTime }
    running.append(job)
  }

  /// Sees to the running tasks for which something is due.
  mutating func tend() throws(AMQPError) {
    guard !running.isEmpty else { return }
    let now = Deadline.now
    for index in running.indices.reversed() where running[index].nextMoment <= now {
      if case .pretended(let end) = running[index].work, end <= now {
        try finish(running.remove(at: index), .pretended)
        continue
      }
      if running[index].warningTime <= now {
        running[index].warningTime = .never
        report(.longTask(running[index], patience: consumerTimeout.limit))
      }
      if running[index].forcedEnd == nil {
        guard running[index].limit <= now, let options = command?.options, let timeout = options.timeout
        else { continue }
        running[index].end(.timedOut(timeout), killAfter: options.killAfter)
      } else if running[index].killTime <= now {
        running[index].killTime = .never
        running[index].child?.kill()
      }
    }
  }

  /// Takes note of the commands that have ended.
  mutating func reap() {
    for index in running.indices.reversed() {
      guard let child = running[index].child, let status = child.ended() else { continue }
      let job = running.remove(at: index)
      let tail = child.output.finish(show)
      do throws(AMQPError) {
        try finish(job, outcome(of: job, status), stderr: tail)
      } catch {
        lose(error)
      }
    }
  }

  private func outcome(of job: Job, _ status: Int32) -> Outcome {
    if let forced = job.forcedEnd { return forced }
    let outcome = Outcome(waitStatus: status)
    guard case .exited(let code) = outcome else { return outcome }
    return options.policy.outcome(of: code)
  }

  /// Settles a task whose work is over.
  mutating func finish(_ job: Job, _ outcome: Outcome, stderr: [UInt8] = []) throws(AMQPError) {
    let settlement = options.policy.settlement(of: outcome, attempt: job.attempt)
    let tag = job.delivery.tag
    let isInVain = options.acknowledges && subscription?.holds(tag) != true
    let isPastTimeLimit = isInVain && subscription?.session == tag.session
    let took = job.isOfNoTime ? .zero : Deadline.now - job.started
    let end = JobEnd(
      outcome: outcome, settlement: settlement, took: took, isInVain: isInVain,
      isPastTimeLimit: isPastTimeLimit)
    report(.ended(job, end))
    if case .unrunnable(let reason, let isTemporary) = outcome {
      stop(.unrunnable(reason, isTemporary: isTemporary))
    }
    guard !isInVain else {
      tally.inVain += 1
      return
    }
    switch settlement {
    case .acknowledge:
      tally.done += 1
      subscription?.finished(tag)
    case .requeue:
      tally.requeued += 1
      // A reject counts no attempt, and brings the task nearer to the limit of a quorum queue.
      if options.policy.maxAttempts > 0 || job.delivery.history.mustNotReturn {
        retrier.add(copy(of: job, outcome, stderr, to: .workQueue(wasRun: true)))
      } else {
        try subscription?.reject(tag, requeue: true)
        requeueEnd = .after(Self.requeueTime)
      }
    case .drop:
      tally.dropped += 1
      tally.failed(because: outcome.words)
      try subscription?.reject(tag, requeue: false)
    case .handBack:
      tally.handedBack += 1
      try giveBack(Waiting(delivery: job.delivery, received: job.received))
    case .retry where options.policy.retriesByBroker:
      tally.retried += 1
      try subscription?.reject(tag, requeue: true)
    case .retry(let delay): retrier.add(copy(of: job, outcome, stderr, to: .delay(delay)))
    case .park: retrier.add(copy(of: job, outcome, stderr, to: .failedQueue))
    }
  }

  private func copy(
    of job: Job, _ outcome: Outcome, _ stderr: [UInt8], to destination: Copy.Destination
  ) -> Copy {
    let made: Int =
      switch outcome {
      case .exhausted(let times): times
      case .workersDied(let starts): job.attempt - 1 + starts
      default: job.attempt
      }
    let failure = FailureRecord(
      attempt: made, outcome: outcome, reason: outcome.words, time: UInt64(time(nil)), host: options.host,
      stderr: stderr, queue: options.queue)
    return Copy(
      number: job.number, tag: job.delivery.tag, message: job.delivery.copy(after: failure),
      destination: destination)
  }

  /// Publishes copies, and settles the originals of those that are published.
  mutating func settleCopies() throws(AMQPError) {
    let published = retrier.turn(report)
    for copy in published {
      switch copy.destination {
      case .delay(let delay):
        tally.retried += 1
        calendar.add(copy.message, after: delay)
      case .failedQueue:
        tally.parked += 1
        tally.failed(because: LastFailure(copy.message.properties.headers).reason)
      case .workQueue(let wasRun):
        replacements.confirm(copy.tag)
        requeueEnd = .after(Self.requeueTime)
        if !wasRun {
          report(.replaced(starts: copy.message.properties.headers?.count(TaskHeaders.starts) ?? 0))
        }
      }
      guard options.acknowledges else { continue }
      if subscription?.holds(copy.tag) == true {
        subscription?.finished(copy.tag)
      } else {
        report(.copiedInVain(task: copy.number))
      }
    }
    try settleRefusedCopies()
    if published.contains(where: { !$0.destination.isRetried }) { try subscription?.flush() }
    try startWaiting()
  }

  /// Gives back what was not begun.
  ///
  /// - Returns: how many tasks that were.
  @discardableResult
  mutating func handBackWaiting(replaces: Bool = true) throws(AMQPError) -> Int {
    guard options.acknowledges else { return 0 }  // ours alone now: nobody else will do them
    let count = waiting.count
    tally.handedBack += count
    while var next = waiting.popFirst() {
      next.mayRun = next.mayRun || !replaces
      try giveBack(next)
    }
    return count
  }

  /// Forgets the tasks that the broker gives to someone else anyway: all that this session does not hold.
  mutating func dropWaiting() {
    guard options.acknowledges else { return }
    let ledger = subscription?.ledger
    let isStale = { (tag: Delivery.Tag) in ledger?.isOpen(tag) != true }
    _ = waiting.remove { isStale($0.delivery.tag) }
    replacements.forget(where: isStale)
    tally.inVain += retrier.forget { isStale($0.tag) }
  }
}
