internal import AMQP
internal import ArgumentParser

/// What a queue shall be like.
struct QueueOptions: ParsableArguments {
  enum Durability: String, EnumerableFlag {
    case durable
    case transient

    static func name(for value: Self) -> NameSpecification {
      value == .durable ? [.customShort("d"), .long] : .long
    }

    static func help(for value: Self) -> ArgumentHelp? {
      switch value {
      case .durable: "It survives a restart of the broker (a new one does anyway)."
      case .transient: "It does not."
      }
    }
  }

  enum Kind: String, CaseIterable, ExpressibleByArgument {
    case classic
    case quorum
    case stream
  }

  enum Overflow: String, CaseIterable, ExpressibleByArgument {
    case dropHead = "drop-head"
    case rejectPublish = "reject-publish"
  }

  /// Where dead letters go: a queue that was named, or the failed queue that goes with each.
  struct DeadLetter: ExpressibleByArgument, CustomStringConvertible {
    var name: String?

    init() {}

    init?(argument: String) {
      guard !argument.isEmpty, argument.utf8.count <= 255, !RawArguments.isEscaped(argument) else {
        return nil
      }
      name = argument
    }

    var description: String { name ?? "<queue>.failed" }

    func queue(for queue: String) -> String { name ?? "\(queue).failed" }
  }

  @Flag(exclusivity: .exclusive)
  var durability: Durability?

  @Option(help: ArgumentHelp("Its type.", valueName: "type"))
  var type: Kind?

  @Option(help: ArgumentHelp("It holds so many tasks at most.", valueName: "n"))
  var maxLength: UInt32?

  @Option(help: ArgumentHelp("It holds so many bytes at most: 512, 64k, 16M.", valueName: "size"))
  var maxBytes: SizeArgument?

  @Option(help: ArgumentHelp("What happens when it is full.", valueName: "how"))
  var overflow: Overflow?

  @Option(help: ArgumentHelp("A task that waits longer is dropped, or dead.", valueName: "duration"))
  var messageTTL: TimeSpan?

  @Option(help: ArgumentHelp("It is deleted when nobody used it for so long.", valueName: "duration"))
  var expires: TimeSpan?

  @Option(
    defaultAsFlag: DeadLetter(), parsing: .next,
    help: ArgumentHelp(
      "Rejected, expired and surplus tasks go to this queue, which is made as well.", valueName: "queue"))
  var deadLetter: DeadLetter?

  @Option(help: ArgumentHelp("It sorts by priority, from 0 to this; 10 is plenty.", valueName: "n"))
  var maxPriority: UInt8?

  @Option(
    help: ArgumentHelp("A task given back so often is dropped, or dead (quorum queues).", valueName: "n"))
  var deliveryLimit: UInt32?

  @Flag(help: "One consumer at a time gets tasks; the others stand by.")
  var singleActiveConsumer = false

  @Option(
    help: ArgumentHelp("A worker may hold a task for so long (RabbitMQ 3.12).", valueName: "duration"))
  var consumerTimeout: TimeSpan?

  @Flag(help: "It is deleted when its last consumer leaves.")
  var autoDelete = false

  @Option(
    name: .customLong("arg"),
    help: ArgumentHelp(
      "Any other argument: x-name=text, or x-name:=5 for a number, true or false.", valueName: "k=v"))
  var extra: [TypedValue] = []

  func validate() throws {
    if let type, type != .classic {
      let name = "A \(type.rawValue) queue"
      if durability == .transient {
        throw ValidationError("\(name) is always durable: leave out --transient.")
      }
      if autoDelete { throw ValidationError("\(name) cannot be deleted automatically: use --expires.") }
    }
    if maxPriority == 0 { throw ValidationError("--max-priority is a number from 1 to 255.") }
  }

  /// The queue that is asked for; nil when nothing is said about what it is like.
  func queue(named name: String) -> Queue? {
    var queue = Queue(name: name)
    queue.isDurable = durability != .transient
    queue.isAutoDelete = autoDelete
    queue.arguments = arguments(for: name)
    return durability == nil && !autoDelete && queue.arguments.entries.isEmpty ? nil : queue
  }

  private func arguments(for name: String) -> FieldTable {
    var arguments = FieldTable()
    arguments["x-queue-type"] = type.map { .text($0.rawValue) }
    arguments["x-max-length"] = maxLength.map { .int64(Int64($0)) }
    arguments["x-max-length-bytes"] = maxBytes.map { .int64($0.bytes) }
    arguments["x-overflow"] = overflow.map { .text($0.rawValue) }
    arguments["x-message-ttl"] = messageTTL.map { .int64($0.milliseconds) }
    arguments["x-expires"] = expires.map { .int64($0.milliseconds) }
    if let deadLetter {
      arguments["x-dead-letter-exchange"] = .text("")
      arguments["x-dead-letter-routing-key"] = .text(deadLetter.queue(for: name))
    }
    arguments["x-max-priority"] = maxPriority.map { .int64(Int64($0)) }
    arguments["x-delivery-limit"] = deliveryLimit.map { .int64(Int64($0)) }
    if singleActiveConsumer { arguments["x-single-active-consumer"] = .boolean(true) }
    arguments["x-consumer-timeout"] = consumerTimeout.map { .int64($0.milliseconds) }
    for argument in extra { arguments[argument.name] = argument.value }
    return arguments
  }
}

extension TimeSpan {
  /// Whole milliseconds, as the broker counts.
  var milliseconds: Int64 { Int64((duration / .milliseconds(1)).rounded()) }
}
