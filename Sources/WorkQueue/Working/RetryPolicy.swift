internal import AMQP

/// Which end of the work means what for the task.
package struct RetryPolicy: Equatable, Sendable {
  /// What a person can ask for, by these words.
  package enum Action: String, CaseIterable, Sendable {
    case acknowledge = "ack"
    case retry
    case requeue
    case park
    case drop
  }

  /// What exit statuses mean; those that are not named mean failure, but for 0.
  ///
  /// 75 and 100 are EX_TEMPFAIL of sysexits(3) and qmail's "failed for good", 65 is EX_DATAERR.
  package var onExit: [Int32: Action] = [
    0: .acknowledge, 75: .retry, 111: .retry, 65: .park, 100: .park,
  ]
  /// What every other failure means, a signal and a time limit among them.
  package var onFailure = Action.retry
  /// How often a task is tried before it is parked; 0 is no limit.
  package var maxAttempts = 5
  /// How long the first retry waits; each further one waits twice as long, up to `maxDelay`.
  package var delay = Duration.seconds(10)
  package var maxDelay = Duration.seconds(3600)
  /// Whether a task waits for its retry in the quorum queue itself (RabbitMQ 4.3), and not as a copy elsewhere.
  package var retriesByBroker = false
  /// The queue limits deliveries to 20, unless it was declared with another limit: attempts must stay below.
  package static let mostAttemptsByBroker = 15
  /// Whether 126 and 127 are a shell's or env(1)'s word that the command cannot be run; not where the
  /// task itself is the command.
  package var statusesTellOfCommand = true

  package init() {}

  /// Whether a task can be requeued again and again, without an end of its attempts.
  var requeuesForEver: Bool {
    maxAttempts == 0 && (onFailure == .requeue || onExit.values.contains(.requeue))
  }

  /// What an exit status says: of a task's work, or of the command.
  func outcome(of status: Int32) -> Outcome {
    guard statusesTellOfCommand, onExit[status] == nil else { return .exited(status) }
    return switch status {
    case 126:
      .unrunnable("cannot run the command: exit status 126 (it is not executable)", isTemporary: false)
    case 127: .unrunnable("cannot run the command: exit status 127 (it was not found)", isTemporary: false)
    default: .exited(status)
    }
  }

  /// Which attempt at a task this delivery is, counted from 1.
  ///
  /// The broker counts those that it retries; a worker that died, or lost its connection, counts as one.
  func attempt(of delivery: Delivery) -> Int {
    let returns = retriesByBroker ? delivery.history.returns : 0
    return delivery.attempt.addingReportingOverflow(returns).partialValue
  }

  /// Whether a task must not be begun once more.
  func isExhausted(before attempt: Int) -> Bool {
    maxAttempts > 0 && attempt > maxAttempts
  }

  /// What becomes of a task whose attempt of this number, counted from 1, has ended so; a retry waits for `retryIn` at
  /// least, if the command has asked for that.
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

  /// How long a task waits after the attempt of this number.
  func delay(after attempt: Int) -> Duration {
    let limit = min(maxDelay, WaitingQueue.longestDelay)
    var delay = min(delay, limit)
    for _ in 1..<max(attempt, 1) {
      guard delay > .zero && delay != limit else { break }
      delay = min(delay * 2, limit)
    }
    return delay
  }

  /// The delay for a command that asked for `wanted`, rounded up.
  ///
  /// It is one of those that `delay(after:)` gives, and beyond them 1, 2 or 5 times a power of ten, in seconds: each
  /// delay is a queue, so there must not be many.
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
