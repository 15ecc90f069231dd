internal import AMQP
internal import WorkQueue

/// A publish that spools tasks that the broker cannot accept now.
///
/// 1. Every process sends spooled tasks first, oldest first, with the spool's lock.
/// 2. Tasks that would fail with 69 or 75 are spooled. Permanently refused tasks are not.
/// 3. A spooled task that is refused, and a damaged file, are set aside and reported.
/// 4. While there is input, the broker is tried again from time to time.
/// 5. The limit of `--unless-waiting` counts spooled tasks, too, after an attempt to send them.
struct SpooledPublish: ~Copyable {
  private static let retryInterval = Duration.seconds(30)
  private static let largestSegment = 1000

  private var spool: Spool
  private let directory: FilePath
  private let console: Console
  private let lockTimeout: Duration
  /// Whether something was set aside.
  private(set) var hasSetAside = false
  /// Why the broker cannot accept the spooled tasks now.
  private(set) var brokerError: AMQPError?

  init(directory: FilePath, lockTimeout: Duration, _ console: Console) throws(Failure) {
    self.directory = directory
    self.lockTimeout = lockTimeout
    self.console = console
    do throws(SpoolError) {
      spool = try Spool(directory: directory)
    } catch {
      throw Failure(error)
    }
  }

  /// Publishes or spools all tasks of the source, or nothing when the limit is reached.
  mutating func run(
    _ publisher: inout Publisher, _ source: inout PublishInput, _ limit: WaitingLimit?
  ) throws(Failure) {
    do throws(SpoolError) {
      guard try spool.lock(until: .after(lockTimeout)) else {
        if let limit, try isReached(limit, &publisher) { return }
        console.detail("another publish holds the spool '\(directory)': keeping the tasks for later")
        return try keep(&source, until: .never)
      }
      try flush(&publisher)
      if let limit, try isReached(limit, &publisher) { return }
      while true {
        if brokerError == nil { publish(&publisher, &source) }
        guard let error = brokerError else {
          if Signals.stop != nil { try keep(&source, until: .never) }
          return
        }
        guard error.kind.isTransient else { return source.ended(by: error) }
        console.detail("keeping tasks in '\(directory)': cannot \(error.operation): \(error.detail)")
        try keep(&source, until: .after(Self.retryInterval))
        if source.isAtEnd { return }
        try flush(&publisher)
      }
    } catch {
      throw Failure(error)
    }
  }

  /// Sends the spooled tasks.
  mutating func flushOnly(_ publisher: inout Publisher) throws(Failure) {
    let isLocked: Bool
    do throws(SpoolError) {
      isLocked = try spool.lock(until: .after(lockTimeout))
      if isLocked { try flush(&publisher) }
    } catch {
      throw Failure(error)
    }
    guard isLocked else { throw Failure(.temporary, "another publish holds the spool '\(directory)'") }
  }

  // MARK: Steps

  /// Whether the limit is reached, by tasks in the spool and, if it is reachable, at the broker.
  private mutating func isReached(
    _ limit: WaitingLimit, _ publisher: inout Publisher
  ) throws(SpoolError) -> Bool {
    var count = try keptTasks(of: limit)
    if brokerError == nil {
      do throws(AMQPError) {
        count += try publisher.waiting(in: limit.queues)
      } catch {
        brokerError = error
      }
    }
    // A permanent error ends the command anyway.
    if let brokerError, !brokerError.kind.isTransient { return false }
    return limit.isReached(by: count, console)
  }

  /// Number of spooled tasks that the limit counts.
  private func keptTasks(of limit: WaitingLimit) throws(SpoolError) -> Int {
    var count = 0
    for segment in try spool.segments() {
      do throws(SpoolError) {
        count += try spool.read(segment).count { limit.counts($0) }
      } catch  where error.kind == .corrupt {
        // The process that flushes the spool sets it aside, and reports it.
      } catch  where error.isMissing {
        // The holder of the lock has just published it.
      }
    }
    return count
  }

  private mutating func publish(_ publisher: inout Publisher, _ source: inout PublishInput) {
    do throws(AMQPError) {
      try publisher.publish(&source)
    } catch {
      brokerError = error
    }
  }

  private func keep(_ source: inout PublishInput, until deadline: Deadline) throws(SpoolError) {
    repeat {
      let tasks = source.rest(atMost: Self.largestSegment, until: deadline)
      do throws(SpoolError) {
        try spool.add(tasks.map(\.envelope))
      } catch {
        source.notKept(tasks, error.detail)
        throw error
      }
      source.kept(tasks)
    } while !source.isAtEnd && !deadline.hasPassed
  }

  private mutating func flush(_ publisher: inout Publisher) throws(SpoolError) {
    brokerError = nil
    for segment in try spool.segments() {
      let envelopes: [Envelope]
      do throws(SpoolError) {
        envelopes = try spool.read(segment)
      } catch  where error.kind == .corrupt {
        putAside(try spool.setAside(segment), error.detail)
        continue
      }
      var source = SegmentSource(envelopes)
      do throws(AMQPError) {
        try publisher.publish(&source)
      } catch {
        brokerError = error
      }
      try settle(segment, source)
      guard brokerError == nil, Signals.stop == nil else { return }
    }
  }

  /// Removes published tasks from the spool; refused ones are set aside when nothing else is left.
  private mutating func settle(_ segment: String, _ source: SegmentSource) throws(SpoolError) {
    let rest = source.rest
    let segment = try rest.count < source.envelopes.count ? spool.replace(segment, with: rest) : segment
    guard let refusal = source.refusal, brokerError == nil, !rest.isEmpty else { return }
    putAside(try spool.setAside(segment), "the broker refuses what is in it: \(refusal.reason)")
  }

  private mutating func putAside(_ path: FilePath, _ reason: String) {
    hasSetAside = true
    console.notice("'\(path)' is set aside: \(reason)")
  }
}

/// The tasks of a segment.
struct SegmentSource: TaskSource {
  let envelopes: [Envelope]
  private var taken = 0
  private var isPublished: [Bool]
  /// Why the first refused task was refused.
  private(set) var refusal: PublishFailure?

  init(_ envelopes: [Envelope]) {
    self.envelopes = envelopes
    isPublished = Array(repeating: false, count: envelopes.count)
  }

  /// The tasks that are still to be published.
  var rest: [Envelope] { zip(envelopes, isPublished).filter { !$0.1 }.map(\.0) }

  mutating func next() -> SourceItem {
    guard taken < envelopes.count, Signals.stop == nil else { return .end }
    defer { taken += 1 }
    return .task(PublishTask(number: taken, envelopes[taken]))
  }

  mutating func settled(_ task: PublishTask, _ result: PublishResult) {
    switch result {
    case .published: isPublished[task.number] = true
    case .failed(let failure):
      if !failure.isTransient { refusal = refusal ?? failure }
    }
  }
}

extension AMQPError.Kind {
  /// Whether a later attempt may succeed: the exit code would be 69 or 75.
  var isTransient: Bool { [.unavailable, .temporary].contains(ExitStatus(self)) }
}

extension PublishFailure {
  /// Whether a later attempt may succeed.
  var isTransient: Bool {
    guard case .connection(let kind) = kind else { return false }
    return kind.isTransient
  }
}

extension Failure {
  /// The spool cannot be used.
  init(_ error: SpoolError) {
    self.init(.cannotCreate, "cannot use the spool: '\(error.path)': \(error.detail)")
  }
}
