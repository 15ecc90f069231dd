package import AMQP

/// The headers by which a task carries its past from one attempt to the next, and into the failed queue.
package enum TaskHeaders {
  /// How many attempts have been made.
  package static let attempts = "x-workq-attempts"
  /// How many times a run of the task was recorded before it began, since the last one that ended: see
  /// `DeliveryHistory`.
  package static let starts = "x-workq-starts"
  /// Why the last one failed, as a sentence for people.
  package static let reason = "x-workq-reason"
  /// The command's exit status, or the signal that ended it.
  package static let exitStatus = "x-workq-exit-status"
  package static let signal = "x-workq-signal"
  package static let firstFailure = "x-workq-first-failure"
  package static let lastFailure = "x-workq-last-failure"
  /// Where the last attempt ran.
  package static let host = "x-workq-host"
  /// The end of what the command wrote to stderr, where we saw it.
  package static let stderr = "x-workq-stderr"
  /// The queue that the task was taken from, and where it was first published to.
  package static let queue = "x-workq-queue"
  package static let exchange = "x-workq-exchange"
  package static let routingKey = "x-workq-routing-key"

  /// Whether it tells of failures; where the task was first published to is no part of that.
  static func tellsOfFailure(_ name: String) -> Bool {
    name.hasPrefix("x-workq-") && name != exchange && name != routingKey
  }

  /// What the broker adds on a message's way, and would misread or refuse in a copy of it.
  static func isBrokers(_ name: String) -> Bool {
    ["x-death", "x-delivery-count", "x-acquired-count", "x-stream-offset", "CC", "BCC"].contains(name)
      || name.hasPrefix("x-first-death-") || name.hasPrefix("x-last-death-")
  }
}

/// What a failure leaves on the task.
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
  /// Which attempt at the task this is, counted from 1: an attempt is a run of the command that ended.
  ///
  /// What a quorum queue counts are deliveries, and a task may be delivered many times without a run: those
  /// are the business of `DeliveryHistory`.
  package var attempt: Int {
    let made = message.properties.headers?.count(TaskHeaders.attempts) ?? 0
    return max(made, made &+ 1)
  }

  /// Where the task was first published to, before it went through queues of ours.
  var origin: (exchange: String, routingKey: String) {
    let headers = message.properties.headers
    return (
      headers?[TaskHeaders.exchange]?.text ?? exchange, headers?[TaskHeaders.routingKey]?.text ?? routingKey
    )
  }

  /// The task as it is to be published again: its body and properties, without what the broker added,
  /// and with what this failure adds.
  func copy(after failure: FailureRecord) -> Message {
    var copy = republished(in: failure.queue)
    var headers = copy.properties.headers ?? FieldTable()
    // The run has ended: what was recorded of runs before it proves nothing any more.
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

  /// The task as it is to be published to the end of its queue without having been run, with that many
  /// recorded starts.
  func replacement(in queue: String, starts: Int) -> Message {
    var copy = republished(in: queue)
    var headers = copy.properties.headers ?? FieldTable()
    headers[TaskHeaders.starts] = starts > 0 ? .int64(Int64(starts)) : nil
    copy.properties.headers = headers.entries.isEmpty ? nil : headers
    return copy
  }

  /// The message without what the broker added to it, and with the place that it was first published to.
  private func republished(in queue: String) -> Message {
    var copy = message
    // The broker refuses another user's name, and a time to live would end the task in the delay queue.
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
  /// A header's value as a count; what is no number, or negative, is 0.
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
