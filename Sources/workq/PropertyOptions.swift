internal import AMQP
internal import ArgumentParser
internal import WorkQueue

/// A task's properties, as they are typed.
struct PropertyOptions: ParsableArguments {
  enum Durability: String, EnumerableFlag {
    case persistent
    case transient

    static func help(for value: Self) -> ArgumentHelp? {
      switch value {
      case .persistent: "Have the broker keep the task on its disk. (default)"
      case .transient: "Let the task be lost when the broker restarts."
      }
    }
  }

  @Flag(exclusivity: .exclusive)
  var durability: Durability?

  @Option(
    name: [.customShort("H"), .long],
    help: ArgumentHelp(
      "Add a header: 'K: V' or K=V is text; K:=V is a number, true or false. Repeatable.",
      valueName: "header"))
  var header: [TypedValue] = []

  @Option(help: ArgumentHelp("Go before tasks of less priority, in a queue that has them.", valueName: "n"))
  var priority: UInt8?

  @Option(
    help: ArgumentHelp(
      "Discard the task if it has not been delivered within this time. Excludes --delay.",
      valueName: "duration"))
  var ttl: TimeSpan?

  @Option(help: ArgumentHelp("Have the broker hold the task back so long.", valueName: "duration"))
  var delay: TimeSpan?

  @Option(
    name: [.customShort("C"), .long], help: ArgumentHelp("The body's MIME type.", valueName: "type"))
  var contentType: String?

  @Option(help: ArgumentHelp("The body's encoding, such as gzip.", valueName: "encoding"))
  var contentEncoding: String?

  @Option(help: ArgumentHelp("The task's id. (default: a new UUID for each)", valueName: "id"))
  var messageID: String?

  @Option(help: ArgumentHelp("What the task belongs to.", valueName: "id"))
  var correlationID: String?

  @Option(help: ArgumentHelp("Where an answer is to go.", valueName: "queue"))
  var replyTo: String?

  @Option(help: ArgumentHelp("The kind of task, for its worker.", valueName: "name"))
  var type: String?

  @Option(help: ArgumentHelp("The program that sends it.", valueName: "name"))
  var appID: String?

  @Option(
    help: ArgumentHelp("The user that sends it: the broker takes only the one logged in.", valueName: "name"))
  var userID: String?

  func validate() throws {
    for text in [contentType, contentEncoding, messageID, correlationID, replyTo, type, appID, userID] {
      guard let text, RawArguments.isEscaped(text) else { continue }
      throw ValidationError("A property is not valid UTF-8.")
    }
    if let delay, delay.duration > WaitingQueue.longestDelay {
      throw ValidationError("--delay can be \(WaitingQueue.longestDelayInDays) days at most.")
    }
  }

  /// What all tasks have; a UUID and the time come with each.
  var properties: Message.Properties {
    var properties = PublishOrder().properties
    if durability == .transient { properties.deliveryMode = .transient }
    if !header.isEmpty {
      var table = FieldTable()
      for entry in header { table[entry.name] = entry.value }
      properties.headers = table
    }
    properties.priority = priority
    properties.expiration = ttl.map { "\($0.duration.milliseconds)" }
    properties.contentType = contentType
    properties.contentEncoding = contentEncoding
    properties.messageID = messageID
    properties.correlationID = correlationID
    properties.replyTo = replyTo
    properties.type = type
    properties.appID = appID
    properties.userID = userID
    return properties
  }
}
