internal import AMQP

/// What happens to a task, by the outcome of its attempt.
package struct RetryPolicy: Equatable, Sendable {
  /// The actions that options can name.
  package enum Action: String, CaseIterable, Sendable {
    case acknowledge = "ack"
    case retry
    case requeue
    case park
    case drop
  }

  /// The actions of exit statuses; others than 0 that are not named are failures.
  ///
  /// 75 and 65 are EX_TEMPFAIL and EX_DATAERR of sysexits(3); 111 and 100 are qmail's temporary and permanent
  /// failure.
  package var onExit: [Int32: Action] = [
    0: .acknowledge, 75: .retry, 111: .retry, 65: .park, 100: .park,
  ]
  /// The action of every other failure, including signals and time limits.
  package var onFailure = Action.retry
  /// Maximum attempts before a task is parked; 0 means no limit.
  package var maxAttempts = 5
  /// The first retry's delay; it doubles with each attempt, up to `maxDelay`.
  package var delay = Duration.seconds(10)
  package var maxDelay = Duration.seconds(3600)
  /// Whether a task waits for its retry in the quorum queue itself (RabbitMQ 4.3), instead of as a copy in a waiting
  /// queue.
  package var retriesByBroker = false
  /// The queue's delivery limit is 20 by default: attempts must stay below.
  package static let mostAttemptsByBroker = 15
  /// Whether 126 and 127 mean that the command cannot be run, as from a shell or env(1); not if the task itself is
  /// the command.
  package var statusesTellOfCommand = true

  package init() {}

  /// Whether a task can be requeued without a limit on attempts.
  var requeuesForEver: Bool {
    maxAttempts == 0 && (onFailure == .requeue || onExit.values.contains(.requeue))
  }

  /// The outcome for an exit status.
  func outcome(of status: Int32) -> Outcome {
    guard statusesTellOfCommand, onExit[status] == nil else { return .exited(status) }
    return switch status {
    case 126:
      .unrunnable("cannot run the command: exit status 126 (it is not executable)", isTemporary: false)
    case 127: .unrunnable("cannot run the command: exit status 127 (it was not found)", isTemporary: false)
    default: .exited(status)
    }
  }

  /// The number of the attempt that this delivery leads to, from 1.
  ///
  /// The broker counts its own retries; a dead worker or a lost connection counts, too.
  func attempt(of delivery: Delivery) -> Int {
    let returns = retriesByBroker ? delivery.history.returns : 0
    return delivery.attempt.addingReportingOverflow(returns).partialValue
  }

  /// Whether the task must not be started again.
  func isExhausted(before attempt: Int) -> Bool {
    maxAttempts > 0 && attempt > maxAttempts
  }

  /// The settlement of a task after this outcome of the attempt of this number, from 1; `retryIn` is the minimum
  /// delay that the command has requested.
  func settlement(of outcome: Outcome, attempt: Int, retryIn: Duration? = nil) -> Settlement {
    let settlement = settlement(of: outcome, attempt)
    guard case .retry = settlement, let retryIn else { return settlement }
    return .retry(after: delay(atLeast: retryIn))
  }

  private func settlement(of outcome: Outcome, _ attempt: Int) -> Settlement {
    switch outcome {
    case .simulated: .acknowledge
    case .interrupted, .unrunnable: .release
    case .invalidTask, .attemptsExceeded, .workersDied: .park
    case .exited(let status): settlement(by: onExit[status] ?? onFailure, attempt: attempt)
    case .signalled, .timedOut, .noResult: settlement(by: onFailure, attempt: attempt)
    }
  }

  private func settlement(by action: Action, attempt: Int) -> Settlement {
    switch action {
    case .acknowledge: .acknowledge
    case .park: .park
    case .drop: .drop
    case .retry, .requeue:
      if isExhausted(before: attempt + 1) {
        .park
      } else {
        action == .requeue ? .requeue : .retry(after: delay(after: attempt))
      }
    }
  }

  /// The delay after the attempt of this number.
  func delay(after attempt: Int) -> Duration {
    let limit = min(maxDelay, WaitingQueue.longestDelay)
    var delay = min(delay, limit)
    for _ in 1..<max(attempt, 1) {
      guard delay > .zero && delay != limit else { break }
      delay = min(delay * 2, limit)
    }
    return delay
  }

  /// The delay for a command that requests `wanted`, rounded up.
  ///
  /// It is one of the delays of `delay(after:)`, and beyond them 1, 2 or 5 times a power of ten in seconds: each
  /// delay needs a queue, so there must be few.
  func delay(atLeast wanted: Duration) -> Duration {
    let longest = min(maxDelay, WaitingQueue.longestDelay)
    var attempt = 1
    while delay(after: attempt) < min(wanted, longest), delay(after: attempt + 1) > delay(after: attempt) {
      attempt += 1
    }
    if delay(after: attempt) >= wanted { return delay(after: attempt) }
    var (unit, index) = (Duration.seconds(1), 0)
    while unit * [1, 2, 5][index] < wanted, unit < WaitingQueue.longestDelay {
      index = (index + 1) % 3
      if index == 0 { unit *= 10 }
    }
    return min(unit * [1, 2, 5][index], WaitingQueue.longestDelay)
  }
}
