internal import ArgumentParser

struct Publish: WorkqCommand {
  static let configuration = CommandConfiguration(
    commandName: "publish",
    abstract: "Send tasks to the queue.",
    discussion: """
      $ workq publish resize cat.jpg            the words are the task
      $ workq publish -q mail < letter.eml      a file or pipe is one task, as it is
      $ find . -print0 | workq publish --null   many tasks

      Tasks have been published when the exit code is 0: the broker has confirmed that a queue has them. \
      A missing queue is made; an existing one is used as it is.
      """)

  @Argument(
    help: ArgumentHelp(
      "The task's body, joined by single spaces. None: stdin, or 'Hello World!' at a terminal.",
      valueName: "word"))
  var words: [String] = []

  @OptionGroup(title: "Input options") var input: InputOptions
  @OptionGroup(title: "Properties") var properties: PropertyOptions
  @OptionGroup(title: "Delivery options") var delivery: DeliveryOptions
  @OptionGroup(title: "Spool options") var spool: SpoolOptions
  @OptionGroup(title: "Connection options") var connection: ConnectionOptions
  @OptionGroup(title: "Output options") var output: OutputOptions

  func validate() throws {
    let comesFromElsewhere = input.settings.splits || !input.file.isEmpty
    guard words.isEmpty || !comesFromElsewhere else {
      throw ValidationError("A task is given by words, or by an input option, not by both.")
    }
    guard !spool.flushSpool || words.isEmpty && !comesFromElsewhere else {
      throw ValidationError("--flush-spool only sends what is kept: no task goes with it.")
    }
    if let option = idleOption {
      throw ValidationError("--flush-spool only sends what is kept, as it is: leave out \(option).")
    }
    guard !spool.settings.isUsed || !delivery.doesNotConfirm else {
      throw ValidationError(
        "--spool and --no-confirm exclude each other: without confirms it is not known what must be kept.")
    }
    guard input.failedTo == nil || !delivery.doesNotConfirm else {
      throw ValidationError(
        "--failed-to and --no-confirm exclude each other: without confirms it is not known what failed.")
    }
    guard delivery.exchange == nil || connection.queue == nil else {
      throw ValidationError("--queue and --exchange exclude each other.")
    }
    if let delay = properties.delay, delay.duration > .zero, delivery.exchange != nil {
      throw ValidationError("--delay leads to a queue: it does not go with --exchange.")
    }
    if let delay = properties.delay, delay.duration > .zero, properties.ttl != nil {
      throw ValidationError(
        "--ttl and --delay exclude each other: RabbitMQ removes the TTL when the delay ends.")
    }
    if delivery.printID && output.json {
      throw ValidationError("--json prints the ids, too: leave --print-id out.")
    }
  }

  /// An option about tasks that are to be published, where `--flush-spool` publishes none.
  private var idleOption: String? {
    guard spool.flushSpool else { return nil }
    let order = order
    if order.properties != PublishOrder().properties || properties.durability != nil || order.delay != nil {
      return "the options about properties"
    }
    let isUsed: [(String, Bool)] = [
      ("--queue", connection.queue != nil), ("--exchange", delivery.exchange != nil),
      ("--unless-waiting", delivery.unlessWaiting != nil), ("--print-id", delivery.printID),
    ]
    return isUsed.first { $0.1 }?.0
  }

  /// What all of this amounts to.
  var order: PublishOrder {
    PublishOrder(
      words: words, input: input.settings, properties: properties.properties,
      delay: properties.delay?.duration, delivery: delivery.settings, spool: spool.settings,
      connection: connection.settings, isJSON: output.json)
  }

  func run() throws {
    try order.run(output.console)
  }
}
