internal import AMQP
internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import WorkQueue

struct Publish: WorkqCommand {
  enum Durability: String, EnumerableFlag {
    case persistent
    case transient

    static func help(for value: Self) -> ArgumentHelp? {
      switch value {
      case .persistent: "Have the broker keep the task on its disk."
      case .transient: "Let the task be lost when the broker restarts."
      }
    }
  }

  static let configuration = CommandConfiguration(
    abstract: "Send a task to the queue.",
    discussion: """
      $ workq publish resize cat.jpg            the words are the task
      $ workq publish -q mail < letter.eml      a file or pipe is the task, byte for byte

      The task has been published when the exit code is 0: the broker has confirmed that a queue has it. \
      A missing queue is made; an existing one is used as it is.
      """)

  @Argument(
    help: ArgumentHelp(
      "The task's body, joined by single spaces. None: stdin, or 'Hello World!' at a terminal.",
      valueName: "word"))
  var words: [String] = []

  @Flag(exclusivity: .exclusive)
  var durability = Durability.persistent

  @Flag(name: .customLong("no-declare"), help: "Fail with 78 when the queue is missing; do not make it.")
  var doesNotDeclare = false

  @Option(help: ArgumentHelp("Wait so long for the broker to confirm the task.", valueName: "duration"))
  var confirmTimeout = TimeSpan(.seconds(30))

  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func run() throws {
    let queue = try connection.queueName()
    let message = Message(body: try body(), properties: properties())
    let console = output.console
    let addresses = try connection.addresses(console)
    var options = Publisher.Options(addresses: addresses, connection: connection.settings(for: "publish"))
    options.declares = !doesNotDeclare
    options.confirmTimeout = confirmTimeout.duration
    try speaking(with: addresses) {
      var publisher = try Publisher(options) { tell($0, console) }
      try check(publisher.publish(message, toQueue: queue), queue, publisher.address.location)
      publisher.close()
    }
    report(message, queue, console)
  }

  private func body() throws -> [UInt8] {
    if !words.isEmpty {
      return Array(words.map(RawArguments.bytes(of:)).joined(separator: [UInt8(ascii: " ")]))
    }
    guard StandardStreams.inputHasData else { return Array("Hello World!".utf8) }
    let bytes = try StandardStreams.readInput()
    guard !bytes.isEmpty else {
      throw Failure(.dataError, "stdin is empty: nothing was published (a task can be given as words)")
    }
    return bytes
  }

  private func properties() -> Message.Properties {
    var properties = Message.Properties()
    properties.deliveryMode = durability == .persistent ? .persistent : .transient
    properties.messageID = UUID().uuidString.lowercased()
    properties.timestamp = UInt64(time(nil))
    return properties
  }

  private func check(_ outcome: Publisher.Outcome, _ queue: String, _ location: String) throws {
    switch outcome {
    case .confirmed: return
    case .unroutable where doesNotDeclare:
      throw Failure(
        .configuration,
        "\(location): queue '\(queue)' does not exist: not published (without --no-declare it is made)")
    case .unroutable(let reason):
      throw Failure(.dataError, "\(location): no queue takes the task: \(reason): not published")
    case .refused(let reason):
      throw Failure(.dataError, "\(location): queue '\(queue)' refused the task: \(reason)")
    }
  }

  private func tell(_ event: PublisherEvent, _ console: Console) {
    switch event {
    case .connected(let broker, let address):
      console.detail("connected to \(broker) at \(address.location)")
    case .declaring(let queue):
      console.detail("queue '\(queue)' does not exist: declaring it, and publishing again")
    case .blocked(let reason, let patience):
      console.notice("the broker takes no tasks for now: \(reason); waiting \(patience.spoken) at most")
    case .unblocked:
      console.notice("the broker takes tasks again")
    }
  }

  private struct Result: Encodable {
    let status = "published"
    let queue: String
    let messageID: String?
    let bytes: Int
  }

  private func report(_ message: Message, _ queue: String, _ console: Console) {
    if output.json {
      let id = message.properties.messageID
      console.print(JSON.line(Result(queue: queue, messageID: id, bytes: message.body.count)))
    } else if Console.outputIsTerminal && !output.quiet {
      console.print(" [x] Sent \(Quoted.bytes(message.body))")
    }
  }
}
