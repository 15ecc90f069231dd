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
    guard delivery.exchange == nil || connection.queue == nil else {
      throw ValidationError("--queue and --exchange exclude each other.")
    }
    if let delay = properties.delay, delay.duration > .zero, delivery.exchange != nil {
      throw ValidationError("--delay leads to a queue: it does not go with --exchange.")
    }
    if delivery.printID && output.json {
      throw ValidationError("--json prints the ids, too: leave --print-id out.")
    }
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
