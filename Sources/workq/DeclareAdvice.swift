internal import AMQP
internal import WorkQueue

/// What a broker does not do of what was asked for, or does not do at once, though it may not say so.
enum DeclareAdvice {
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
    if type == "stream", version < BrokerVersion(3, 9) {
      notes.append("\(broker) has no streams: they came with 3.9")
    }
    if arguments["x-overflow"]?.text == "reject-publish" {
      notes.append("while the queue is full, retries and delayed tasks can come up to 3 min late")
    }
    return notes
  }
}
