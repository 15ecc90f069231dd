package import AMQP

/// The headers that carry a task's history from one attempt to the next, and to the failed queue.
package enum TaskHeaders {
  /// Number of attempts.
  package static let attempts = "x-workq-attempts"
  /// Number of recorded starts since the last run that ended; see `DeliveryHistory`.
  package static let starts = "x-workq-starts"
  /// Why the last attempt failed, as text.
  package static let reason = "x-workq-reason"
  /// The command's exit status, or the signal that ended it.
  package static let exitStatus = "x-workq-exit-status"
  package static let signal = "x-workq-signal"
  package static let firstFailure = "x-workq-first-failure"
  package static let lastFailure = "x-workq-last-failure"
  /// Where the last attempt ran.
  package static let host = "x-workq-host"
  /// The last bytes of the command's stderr, if we passed it on.
  package static let stderr = "x-workq-stderr"
  /// The queue that the task was taken from, and where it was published first.
  package static let queue = "x-workq-queue"
  package static let exchange = "x-workq-exchange"
  package static let routingKey = "x-workq-routing-key"

  /// Whether the header is about failures; the origin of the task is not.
  static func tellsOfFailure(_ name: String) -> Bool {
    name.hasPrefix("x-workq-") && name != exchange && name != routingKey
  }

  /// Headers that the broker adds to a message, and would misread or refuse in a copy.
  static func isBrokers(_ name: String) -> Bool {
    ["x-death", "x-delivery-count", "x-acquired-count", "x-stream-offset", "CC", "BCC"].contains(name)
      || name.hasPrefix("x-first-death-") || name.hasPrefix("x-last-death-")
  }
}

/// What a failure records in the task's headers.
struct FailureRecord: Equatable {
  var attempt: Int
  var outcome: Outcome
  var reason: String
  /// Seconds since 1970.
  var time: UInt64
  var host: String
  var stderr: [UInt8] = []
  var queue: String
}

extension Delivery {
  /// The number of this attempt, from 1: an attempt is a run of the command that ended.
  ///
  /// A quorum queue counts deliveries, and a task may be delivered many times without a run; see `DeliveryHistory`.
  package var attempt: Int {
    let made = message.properties.headers?.count(TaskHeaders.attempts) ?? 0
    return max(made, made &+ 1)
  }

  /// Where the task was published first, before it passed through queues of workq.
  var origin: (exchange: String, routingKey: String) {
    let headers = message.properties.headers
    return (
      headers?[TaskHeaders.exchange]?.text ?? exchange, headers?[TaskHeaders.routingKey]?.text ?? routingKey
    )
  }

  /// The task for publishing again: its body and properties, without the broker's headers, and with those of this
  /// failure.
  func copy(after failure: FailureRecord) -> Message {
    var copy = republished(in: failure.queue)
    var headers = copy.properties.headers ?? FieldTable()
    // The run has ended, so the recorded starts are no longer evidence of dead workers.
    if case .workersDied = failure.outcome {} else { headers[TaskHeaders.starts] = nil }
    headers[TaskHeaders.attempts] = .int64(Int64(failure.attempt))
    headers[TaskHeaders.reason] = .text(failure.reason)
    (headers[TaskHeaders.exitStatus], headers[TaskHeaders.signal]) = (nil, nil)
    switch failure.outcome {
    case .exited(let status): headers[TaskHeaders.exitStatus] = .int64(Int64(status))
    case .signalled(let signal): headers[TaskHeaders.signal] = .int64(Int64(signal))
    case .simulated, .timedOut, .noResult, .interrupted, .invalidTask, .attemptsExceeded, .workersDied,
      .unrunnable:
      break
    }
    if headers[TaskHeaders.firstFailure] == nil {
      headers[TaskHeaders.firstFailure] = .timestamp(failure.time)
    }
    headers[TaskHeaders.lastFailure] = .timestamp(failure.time)
    headers[TaskHeaders.host] = .text(failure.host)
    headers[TaskHeaders.stderr] =
      failure.stderr.isEmpty ? nil : .text(String(decoding: failure.stderr, as: UTF8.self))
    headers[TaskHeaders.queue] = .text(failure.queue)
    copy.properties.headers = headers
    return copy
  }

  /// The task for publishing to the end of its queue without a run, with this number of recorded starts.
  func replacement(in queue: String, starts: Int) -> Message {
    var copy = republished(in: queue)
    var headers = copy.properties.headers ?? FieldTable()
    headers[TaskHeaders.starts] = starts > 0 ? .int64(Int64(starts)) : nil
    copy.properties.headers = headers.entries.isEmpty ? nil : headers
    return copy
  }

  /// The message without the broker's headers, and with its origin.
  private func republished(in queue: String) -> Message {
    var copy = message
    // The broker refuses another user's id, and a TTL would expire the task in the waiting queue.
    (copy.properties.userID, copy.properties.expiration) = (nil, nil)
    var headers = copy.properties.headers ?? FieldTable()
    headers.entries.removeAll { TaskHeaders.isBrokers($0.name) }
    let origin = origin
    if origin != ("", queue) {
      headers[TaskHeaders.exchange] = .text(origin.exchange)
      headers[TaskHeaders.routingKey] = .text(origin.routingKey)
    }
    copy.properties.headers = headers
    return copy
  }
}

extension FieldTable {
  /// A header's value as a count; 0 for a negative number or another type.
  func count(_ name: String) -> Int {
    switch self[name] {
    case .int8(let it): max(0, Int(it))
    case .uint8(let it): Int(it)
    case .int16(let it): max(0, Int(it))
    case .uint16(let it): Int(it)
    case .int32(let it): max(0, Int(it))
    case .uint32(let it): Int(it)
    case .int64(let it): max(0, Int(it))
    case .uint64(let it): Int(clamping: it)
    default: 0
    }
  }
}
