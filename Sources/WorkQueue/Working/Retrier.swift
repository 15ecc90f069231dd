internal import AMQP

/// A task's copy for a retry queue, for the failed queue or for the end of its own queue.
struct Copy {
  enum Destination: Equatable {
    /// A queue that gives the task back to the work queue after this time.
    case delay(Duration)
    case failedQueue
    /// The work queue itself: for an attempt that failed and is requeued, or for a task that was not run.
    ///
    /// It is tried once: the original can do without it.
    case workQueue(wasRun: Bool)

    /// Whether the original must wait until the copy is published, however long that takes.
    var isRetried: Bool {
      if case .workQueue = self { false } else { true }
    }
  }

  /// The task's number in this worker; nil when it was not run.
  let number: Int?
  /// The original, which is acknowledged when a queue has the copy.
  let tag: Delivery.Tag
  let message: Message
  let destination: Destination

  /// The same without the headers that it can do without; nil when it has none of them.
  var lighter: Copy? {
    var message = message
    for name in [TaskHeaders.stderr, TaskHeaders.reason, "traceparent", "tracestate"] {
      message.properties.headers?[name] = nil
    }
    guard message != self.message else { return nil }
    return Copy(number: number, tag: tag, message: message, destination: destination)
  }
}

/// Publishes the copies of tasks that failed, on a connection of its own: a broker in alarm stops reading
/// from those that publish, and acknowledgements must get through.
///
/// 1. It connects when there is something to send, and makes the queues that are missing.
/// 2. A copy counts as published when the broker has confirmed it and a queue has it.
/// 3. What could not be published for now stays, its original unacknowledged, and is tried again with back-off; so
///    is what the broker neither confirms nor refuses in time: its queue may have no leader. After a refusal that
///    goes over a new connection, as a `Publisher` has it.
/// 4. What concerns one copy (its headers are too large) keeps only that one from being published. What concerns
///    the queues (a right is missing, or one exists with other properties) ends all of it: `failure`.
struct Retrier: ~Copyable {
  /// How long the broker has for a confirm.
  private static let confirmTimeout = Duration.seconds(30)

  private var addresses: [Address]
  private let connection: Connection.Options
  private let workQueue: String
  private let failedQueue: String
  private var pipeline: Pipeline?
  /// Whether the broker has said that it reads no publishes for now; then it owes no confirms.
  private var isBlocked = false
  private var backoff = Backoff()
  private var nextAttempt = Deadline.now
  /// Whether the broker has declined a copy on the present connection and confirmed none since.
  private var isDeclined = false
  private var unsent = Fifo<Copy>()
  private var inFlight: [Int: Copy] = [:]
  private var waitingQueues = WaitingQueues()
  /// What is confirmed and not yet handed out.
  private var confirmed: [Copy] = []
  /// What the work queue did not take, and is not tried again, and not yet handed out.
  private var refused: [Refused] = []
  /// What can never be published, and is not yet handed out.
  private var unpublishable: [Refused] = []
  /// Why no copy can be published any more.
  private(set) var failure: AMQPError?

  /// A copy that was not published and is not tried again.
  typealias Refused = (copy: Copy, reason: String)

  init(_ options: Worker.Options) {
    addresses = options.addresses
    (workQueue, failedQueue) = (options.queue, options.failedQueue)
    var connection = options.connection
    connection.name += " retries"
    // A broker that does not answer must not cost the heartbeats of the connection that consumes.
    if connection.heartbeat > .zero {
      let patience = max(.seconds(1), connection.heartbeat)
      connection.rpcTimeout = min(connection.rpcTimeout, patience)
      connection.connectTimeout = min(connection.connectTimeout, patience)
    }
    self.connection = connection
  }

  /// How many copies are not published yet.
  var pending: Int { unsent.count + inFlight.count }
  var descriptor: Int32? { mutating get { pipeline?.descriptor } }
  var hasUnsent: Bool { mutating get { pipeline?.hasUnsent ?? false } }

  /// When it wants its turn at the latest.
  var wakeUp: Deadline {
    mutating get {
      var moment = !unsent.isEmpty && hasRoom ? nextAttempt : .never
      if let interval = pipeline?.serviceInterval { moment = min(moment, .after(interval)) }
      return min(moment, confirmDeadline)
    }
  }

  /// Whether a copy may be sent when its time has come.
  private var hasRoom: Bool {
    mutating get { isDeclined ? inFlight.isEmpty : pipeline?.hasRoom ?? true }
  }

  /// When the broker must have confirmed the oldest copy in flight.
  private var confirmDeadline: Deadline {
    mutating get {
      guard !isBlocked, let since = pipeline?.waitingSince else { return .never }
      return since + Self.confirmTimeout
    }
  }

  mutating func add(_ copy: Copy) {
    unsent.append(copy)
  }

  /// Forgets the copies that were not sent yet and whose originals the broker gives out again anyway.
  ///
  /// - Returns: how many of them were of tasks that had been run.
  mutating func forget(where isVoid: (Copy) -> Bool) -> Int {
    unsent.remove(where: isVoid).count { $0.number != nil }
  }

  /// Takes out the copies that the work queue did not take; their originals can do without.
  mutating func takeRefused() -> [Refused] {
    defer { refused.removeAll() }
    return refused
  }

  /// Takes out the copies that can never be published.
  mutating func takeUnpublishable() -> [Refused] {
    defer { unpublishable.removeAll() }
    return unpublishable
  }

  /// Gives up the copies of these tasks; one that was sent may still get through.
  mutating func withdraw(_ tags: [Delivery.Tag]) -> [Refused] {
    guard !tags.isEmpty else { return [] }
    let tags = Set(tags)
    let sent = inFlight.filter { tags.contains($0.value.tag) }
    for ticket in sent.keys { inFlight[ticket] = nil }
    return (sent.map(\.value) + unsent.remove { tags.contains($0.tag) }).map {
      (copy: $0, reason: "the broker did not confirm the copy in time")
    }
  }

  /// Gives up on all copies; some of those that were sent may still get through.
  mutating func abandon() -> [Copy] {
    var copies = Array(inFlight.values)
    while let copy = unsent.popFirst() { copies.append(copy) }
    inFlight = [:]
    pipeline = nil
    return copies
  }

  mutating func disconnect() {
    pipeline.take()?.close()
  }

  /// Sends what can be sent and hears what the broker says.
  ///
  /// - Returns: the copies that are published now.
  mutating func step(_ report: (WorkerEvent) -> Void) -> [Copy] {
    guard failure == nil, pipeline != nil || !unsent.isEmpty else { return [] }
    do throws(AMQPError) {
      try send(report)
      while let notice = try pipeline?.next(within: .zero) { handle(notice, report) }
      try send(report)
      if confirmDeadline.hasPassed {
        throw AMQPError(.timedOut, "publish copies", "the broker has not confirmed one in time")
      }
    } catch {
      lose(error, report)
    }
    defer { confirmed.removeAll(keepingCapacity: true) }
    return confirmed
  }

  private mutating func send(_ report: (WorkerEvent) -> Void) throws(AMQPError) {
    guard !unsent.isEmpty, nextAttempt.hasPassed, hasRoom else { return }
    if isDeclined { disconnect() }
    if pipeline == nil {
      pipeline = try Pipeline(firstOf: addresses, connection)
      isDeclined = false
      isBlocked = false
      waitingQueues.forget()
    }
    while hasRoom, let copy = unsent.popFirst() {
      do throws(AMQPError) {
        let queue = try queue(for: copy.destination, report)
        let envelope = Envelope(copy.message, routingKey: queue)
        if let ticket = try pipeline?.send(envelope) { inFlight[ticket] = copy }
      } catch {
        guard error.kind == .tooLarge else {
          unsent.append(copy)
          throw error
        }
        refuse(copy, error.detail)
      }
    }
  }

  /// Takes note that the broker, or the protocol, does not permit a copy, for something about the task.
  private mutating func refuse(_ copy: Copy, _ reason: String) {
    if !copy.destination.isRetried {
      refused.append((copy, reason))
    } else if let lighter = copy.lighter {
      unsent.append(lighter)
    } else {
      unpublishable.append((copy, reason))
    }
  }

  /// Declares the queue that the copy is for, once for each connection.
  private mutating func queue(
    for destination: Copy.Destination, _ report: (WorkerEvent) -> Void
  ) throws(AMQPError) -> String {
    switch destination {
    case .workQueue: return workQueue
    case .delay(let delay):
      let queue = WaitingQueue.retry(of: workQueue, after: delay)
      return try waitingQueues.declare(queue, on: &pipeline) { report(.waitingQueue($0)) }
    case .failedQueue:
      try waitingQueues.declareFailedQueue(failedQueue, on: &pipeline) { report(.waitingQueue($0)) }
      return failedQueue
    }
  }

  private mutating func handle(_ notice: Pipeline.Notice, _ report: (WorkerEvent) -> Void) {
    switch notice {
    case .blocked(let reason):
      isBlocked = true
      report(.copiesBlocked(reason: reason))
    case .unblocked:
      isBlocked = false
      report(.copiesUnblocked)
    case .returned: break  // comes only without confirms
    case .settled(let ticket, let verdict):
      guard let copy = inFlight.removeValue(forKey: ticket) else { return }
      switch verdict {
      case .confirmed:
        backoff.reset()
        isDeclined = false
        confirmed.append(copy)
      case .refused(let reason): refuse(copy, reason)
      case .unroutable(let reason), .declined(let reason):
        guard copy.destination.isRetried else {
          return refused.append((copy, reason))
        }
        // Its queue was deleted, is full, or has no leader.
        waitingQueues.forget()
        unsent.append(copy)
        if case .declined = verdict { isDeclined = true }
        putOff(report, AMQPError(.preconditionFailed, "retry or park task \(copy.number ?? 0)", reason))
      }
    }
  }

  private mutating func lose(_ error: AMQPError, _ report: (WorkerEvent) -> Void) {
    if error.isTransient, let address = pipeline?.address { addresses.moveToEnd(address) }
    pipeline = nil
    for copy in inFlight.values { unsent.append(copy) }
    inFlight = [:]
    refused += unsent.remove { !$0.destination.isRetried }.map { (copy: $0, reason: error.detail) }
    if Self.concernsQueues(error), !unsent.isEmpty { failure = error }
    putOff(report, error)
  }

  /// Whether trying again cannot help, whatever the task.
  private static func concernsQueues(_ error: AMQPError) -> Bool {
    switch error.kind {
    case .accessRefused, .preconditionFailed, .unsupported: true
    default: false
    }
  }

  /// Waits before the next attempt.
  private mutating func putOff(_ report: (WorkerEvent) -> Void, _ error: AMQPError) {
    guard failure == nil, !unsent.isEmpty else { return }
    if nextAttempt.hasPassed { nextAttempt = .after(backoff.delay()) }
    report(.copiesWait(error, tasks: pending, retry: nextAttempt.remaining ?? .zero))
  }
}
