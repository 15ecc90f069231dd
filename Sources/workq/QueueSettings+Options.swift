internal import AMQP

/// The options for an existing queue.
extension QueueSettings {
  /// The option for an argument or property; nil if only `--arg` can set it.
  static func option(for property: String) -> String? { names[property] }

  private static let names = [
    "durable": "--durable", "auto_delete": "--auto-delete", "x-queue-type": "--type",
    "x-max-length": "--max-length", "x-max-length-bytes": "--max-bytes", "x-overflow": "--overflow",
    "x-message-ttl": "--message-ttl", "x-expires": "--expires", "x-dead-letter-exchange": "--dead-letter",
    "x-dead-letter-routing-key": "--dead-letter", "x-max-priority": "--max-priority",
    "x-delivery-limit": "--delivery-limit", "x-single-active-consumer": "--single-active-consumer",
    "x-consumer-timeout": "--consumer-timeout", "x-delayed-retry-type": "--retry-delay",
    "x-delayed-retry-min": "--retry-delay", "x-delayed-retry-max": "--retry-max-delay",
  ]

  /// The command-line options that declare exactly this queue.
  static func options(for queue: Queue) -> [String] {
    let arguments = queue.arguments
    var options = queue.isDurable ? [] : ["--transient"]
    if queue.isAutoDelete { options.append("--auto-delete") }
    let deadLetter = arguments["x-dead-letter-routing-key"]?.text
    let hasDeadLetterQueue = arguments["x-dead-letter-exchange"] == .text("") && deadLetter != nil
    let delaysRetries =
      arguments["x-delayed-retry-type"] == .text("failed") && arguments["x-queue-type"] == .text("quorum")
      && arguments["x-delayed-retry-min"] != nil && arguments["x-delayed-retry-max"] != nil
    for entry in arguments.entries {
      switch (entry.name, entry.value) {
      case ("x-dead-letter-exchange", _) where hasDeadLetterQueue: break
      case ("x-dead-letter-routing-key", .text(let name)) where hasDeadLetterQueue:
        options += ["--dead-letter", Quoted.shellWord(name)]
      case ("x-delayed-retry-type", _) where delaysRetries: break
      case ("x-delayed-retry-min", _) where !delaysRetries, ("x-delayed-retry-max", _) where !delaysRetries:
        options += argument(entry)
      case ("x-single-active-consumer", .boolean(true)): options.append("--single-active-consumer")
      default: options += Self.options(for: entry)
      }
    }
    return options.isEmpty ? ["--durable"] : options
  }

  private static let durations = [
    "x-message-ttl", "x-expires", "x-consumer-timeout", "x-delayed-retry-min", "x-delayed-retry-max",
  ]
  /// The texts that options accept; others need --arg.
  private static let texts = [
    "x-queue-type": ["classic", "quorum", "stream"], "x-overflow": ["drop-head", "reject-publish"],
  ]

  private static func options(for entry: FieldTable.Entry) -> [String] {
    switch (names[entry.name], entry.value) {
    case (let option?, .int64(let number)) where durations.contains(entry.name):
      [option, number % 1000 == 0 ? "\(number / 1000)s" : "\(number)ms"]
    case (let option?, .int64(let number)): [option, "\(number)"]
    case (let option?, .text(let text)) where texts[entry.name]?.contains(text) == true: [option, text]
    default: argument(entry)
    }
  }

  private static func argument(_ entry: FieldTable.Entry) -> [String] {
    let sign = entry.value.text == nil ? ":=" : "="
    return ["--arg", Quoted.shellWord("\(entry.name)\(sign)\(entry.value.description)")]
  }
}
