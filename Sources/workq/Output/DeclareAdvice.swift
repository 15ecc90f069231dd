internal import AMQP
internal import WorkQueue

/// Notes about options that the broker ignores, refuses or delays, often silently.
enum DeclareAdvice {
  private static let limits = ["x-max-length", "x-max-length-bytes"]

  /// One sentence for each option that is ignored, refused, or delays tasks.
  static func notes(for queue: Queue, on version: BrokerVersion) -> [String] {
    let arguments = queue.arguments
    let type = arguments["x-queue-type"]?.text ?? "classic"
    let broker = "RabbitMQ \(version.major).\(version.minor)"
    var notes: [String] = []
    if arguments["x-consumer-timeout"] != nil {
      if version < BrokerVersion(3, 12) {
        notes.append("\(broker) ignores --consumer-timeout: it came with 3.12")
      } else if version >= BrokerVersion(4, 3), type != "quorum" {
        notes.append("\(broker) heeds --consumer-timeout on quorum queues only")
      }
    }
    if arguments["x-max-priority"] != nil, type == "quorum" {
      notes.append(
        version < BrokerVersion(4, 0)
          ? "\(broker) has no priorities on quorum queues: they came with 4.0"
          : "quorum queues of \(broker) have priorities without --max-priority: leave it out")
    }
    if arguments["x-message-ttl"] != nil, type == "quorum", version < BrokerVersion(3, 10) {
      notes.append("\(broker) has no --message-ttl on quorum queues: it came with 3.10")
    }
    if arguments["x-delayed-retry-type"] != nil, version < BrokerVersion(4, 3) {
      notes.append("\(broker) ignores --retry-delay: it came with 4.3")
    }
    if type == "quorum" { notes += deliveryNotes(arguments, version, broker) }
    if type == "stream", version < BrokerVersion(3, 9) {
      notes.append("\(broker) has no streams: they came with 3.9")
    }
    if arguments["x-overflow"]?.text == "reject-publish" {
      notes.append("while the queue is full, retries and delayed tasks can come up to 3 min late")
      if type == "classic", limits.contains(where: { arguments[$0] != nil }) {
        notes.append(
          "RabbitMQ drops the oldest tasks of a classic queue that is over its limit when it restarts, and running "
            + "tasks count then; --type quorum drops none")
      }
    }
    return notes
  }

  /// What happens to tasks of a quorum queue that are returned repeatedly.
  private static func deliveryNotes(
    _ arguments: FieldTable, _ version: BrokerVersion, _ broker: String
  ) -> [String] {
    let isDeadLettered = arguments["x-dead-letter-exchange"] != nil
    let fate = isDeadLettered ? "dead-letters" : "drops"
    guard case .int64(let limit) = arguments["x-delivery-limit"] else {
      guard version.limitsDeliveries, !isDeadLettered else { return [] }
      return [
        "\(broker) drops a task of a quorum queue that is returned more than 20 times, unless --dead-letter is "
          + "given; workq replaces it by a copy before"
      ]
    }
    // workq replaces a task that was returned 10 times.
    guard (0..<20).contains(limit) else { return [] }
    return [
      version.countsReturns
        ? "with --delivery-limit \(limit), \(broker) \(fate) a task that is returned more often than that: "
          + "stops of workers, lost connections and looks (workq peek) count, too"
        : "with --delivery-limit \(limit), \(broker) \(fate) a task that is rejected, or whose worker dies or "
          + "loses its connection, more often than that"
    ]
  }
}
