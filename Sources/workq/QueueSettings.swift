internal import AMQP
internal import WorkQueue

/// The requested properties of a queue.
struct QueueSettings: Equatable {
  enum Durability {
    case durable
    case transient
  }

  enum Kind: String {
    case classic
    case quorum
    case stream
  }

  enum Overflow: String {
    case dropHead = "drop-head"
    case rejectPublish = "reject-publish"
  }

  /// Where tasks are dead-lettered to: a named queue, or each queue's failed queue.
  struct DeadLetter: Equatable {
    var name: String?

    func queue(for queue: String) -> String { name ?? "\(queue).failed" }
  }

  /// `--durable` and `--transient`, if given.
  var durabilities: Set<Durability> = []
  var type: Kind?
  var maxLength: UInt32?
  /// In bytes.
  var maxBytes: Int64?
  var overflow: Overflow?
  var messageTTL: Duration?
  var expires: Duration?
  var deadLetter: DeadLetter?
  var maxPriority: UInt8?
  var deliveryLimit: UInt32?
  var singleActiveConsumer = false
  var consumerTimeout: Duration?
  /// The quorum queue's own delayed retry.
  var retryDelay: Duration?
  var retryMaxDelay: Duration?
  var autoDelete = false
  /// Other arguments.
  var extra: [TypedValue] = []

  func check() throws(UsageError) {
    guard durabilities.count < 2 else { throw UsageError("--durable and --transient exclude each other") }
    try checkRetry()
    guard let type, type != .classic else { return }
    guard !durabilities.contains(.transient) else {
      throw UsageError("a \(type.rawValue) queue is always durable: leave out --transient")
    }
    guard !autoDelete else {
      throw UsageError("a \(type.rawValue) queue cannot be deleted automatically", use: "use --expires")
    }
  }

  private func checkRetry() throws(UsageError) {
    guard retryDelay != nil || retryMaxDelay != nil else { return }
    guard type == .quorum else {
      throw UsageError("only quorum queues delay retries themselves", use: "add --type quorum")
    }
    guard let retryDelay else { throw UsageError("--retry-max-delay limits --retry-delay: give that, too") }
    guard retryDelay <= retryMaxDelay ?? retryDelay else {
      throw UsageError("--retry-max-delay is shorter than --retry-delay")
    }
  }

  /// The requested queue; nil without options about properties.
  func queue(named name: String) -> Queue? {
    var queue = Queue(name: name)
    queue.isDurable = !durabilities.contains(.transient)
    queue.isAutoDelete = autoDelete
    queue.arguments = arguments(for: name)
    return durabilities.isEmpty && !autoDelete && queue.arguments.entries.isEmpty ? nil : queue
  }

  private func arguments(for name: String) -> FieldTable {
    var arguments = FieldTable()
    arguments["x-queue-type"] = type.map { .text($0.rawValue) }
    arguments["x-max-length"] = maxLength.map { .int64(Int64($0)) }
    arguments["x-max-length-bytes"] = maxBytes.map { .int64($0) }
    arguments["x-overflow"] = overflow.map { .text($0.rawValue) }
    arguments["x-message-ttl"] = messageTTL.map { .int64(TimeSpan($0).milliseconds) }
    arguments["x-expires"] = expires.map { .int64(TimeSpan($0).milliseconds) }
    if let deadLetter {
      arguments["x-dead-letter-exchange"] = .text("")
      arguments["x-dead-letter-routing-key"] = .text(deadLetter.queue(for: name))
    }
    arguments["x-max-priority"] = maxPriority.map { .int64(Int64($0)) }
    arguments["x-delivery-limit"] = deliveryLimit.map { .int64(Int64($0)) }
    if singleActiveConsumer { arguments["x-single-active-consumer"] = .boolean(true) }
    arguments["x-consumer-timeout"] = consumerTimeout.map { .int64(TimeSpan($0).milliseconds) }
    if let retryDelay {
      // Only rejected tasks are delayed, not requeued ones.
      arguments["x-delayed-retry-type"] = .text("failed")
      arguments["x-delayed-retry-min"] = .int64(TimeSpan(retryDelay).milliseconds)
      let longest = retryMaxDelay ?? max(retryDelay, .seconds(3600))
      arguments["x-delayed-retry-max"] = .int64(TimeSpan(longest).milliseconds)
    }
    for argument in extra { arguments[argument.name] = argument.value }
    return arguments
  }
}
