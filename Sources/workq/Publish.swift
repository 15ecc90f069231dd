internal import AMQP
internal import ArgumentParser
internal import WorkQueue

struct Publish: WorkqCommand {
  static let configuration = CommandConfiguration(
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
    guard words.isEmpty || !input.splits && input.file.isEmpty else {
      throw ValidationError("A task is given by words, or by an input option, not by both.")
    }
    guard !spool.flushSpool || words.isEmpty && !input.splits && input.file.isEmpty else {
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

  func run() throws {
    let console = output.console
    let queue = try connection.queueName()
    let template = try template(queue)
    var source = try source(template, console)
    let addresses = try connection.addresses(console)
    let location = addresses.map(\.location).joined(separator: ", ")
    let clearsLine = source.progress != nil
    var publisher = Publisher(publisherOptions(addresses)) {
      if clearsLine { Console.draw("") }
      Self.tell($0, console)
    }
    if spool.flushSpool {
      try flush(&publisher, addresses, console)
    } else if try mayPublish(&publisher, queue, location, console) {
      try publish(&source, &publisher, addresses, console)
    }
    publisher.close()
    try source.finish()
    try PublishConclusion(source.tally, location: location, isBatch: isBatch).report(console, source.progress)
  }

  private func publish(
    _ source: inout PublishInput, _ publisher: inout Publisher, _ addresses: [Address], _ console: Console
  ) throws {
    if spool.isUsed {
      var spooled = try spooled(addresses, console)
      do throws(Failure) {
        return try spooled.run(&publisher, &source)
      } catch {
        try source.finish()
        throw error
      }
    }
    do throws(AMQPError) {
      try publisher.publish(&source)
    } catch {
      source.ended(by: error)
    }
  }

  private func flush(_ publisher: inout Publisher, _ addresses: [Address], _ console: Console) throws {
    var spooled = try spooled(addresses, console)
    try spooled.flushOnly(&publisher)
    if let error = spooled.away {
      throw Failure(error, at: addresses.map(\.location).joined(separator: ", "))
    }
    if spooled.hasSetAside {
      throw Failure(.dataError, "not all that was kept could be published: see above")
    }
  }

  private func spooled(_ addresses: [Address], _ console: Console) throws(Failure) -> SpooledPublish {
    // Whoever holds the lock waits no longer than this for the broker, if its options are the same.
    let patience = connection.connectTimeout.duration + delivery.confirmTimeout.duration
    return try SpooledPublish(directory: spool.path(for: addresses[0]), lockTimeout: patience, console)
  }

  /// Whether there may be more than one task.
  private var isBatch: Bool { input.splits || input.file.count > 1 }

  private func template(_ queue: String) throws -> TaskTemplate {
    var template = TaskTemplate(properties: try properties.properties(), routingKey: queue)
    if let exchange = delivery.exchange {
      (template.exchange, template.routingKey) = (exchange, delivery.routingKey ?? "")
    }
    template.delay = properties.delay.map(\.duration)
    if let misdirection = template.misdirection { throw Failure(.usage, misdirection) }
    return template
  }

  private func source(_ template: TaskTemplate, _ console: Console) throws -> PublishInput {
    try input.checkFiles()
    var options = PublishInput.Options(inputs: try inputs(), delimiter: input.separator)
    options.isJSON = input.jsonl
    options.isBatch = isBatch
    options.isSpooled = spool.isUsed
    let announcement = Announcement(
      console: console, isJSON: output.json, printsID: delivery.printID,
      showsTasks: Console.outputIsTerminal && !output.quiet)
    let showsProgress = isBatch && Console.errorIsTerminal && !output.quiet && !output.json
    return PublishInput(
      options, template, announcement, failures: try input.failedRecords(),
      progress: showsProgress ? Progress(totalBytes: input.totalBytes) : nil)
  }

  private func inputs() throws -> [RecordReader.Input] {
    if spool.flushSpool { return [] }
    if !words.isEmpty {
      return [.record(Array(words.map(RawArguments.bytes(of:)).joined(separator: [UInt8(ascii: " ")])))]
    }
    guard !input.splits && input.file.isEmpty else { return input.inputs }
    guard StandardStreams.inputHasData else { return [.record(Array("Hello World!".utf8))] }
    // All of it before the broker is bothered: it may be empty, or take its time.
    return [.record(try StandardStreams.readInput())]
  }

  private func publisherOptions(_ addresses: [Address]) -> Publisher.Options {
    var options = Publisher.Options(addresses: addresses, connection: connection.settings(for: "publish"))
    options.declares = !delivery.doesNotDeclare
    options.confirms = !delivery.doesNotConfirm
    options.mixesExchanges = input.jsonl || spool.isUsed
    options.confirmTimeout = delivery.confirmTimeout.duration
    options.retryFor = delivery.retryFor.duration
    return options
  }

  /// Whether `--unless-waiting` has nothing against it.
  private func mayPublish(
    _ publisher: inout Publisher, _ queue: String, _ location: String, _ console: Console
  ) throws -> Bool {
    guard let limit = delivery.unlessWaiting else { return true }
    do throws(AMQPError) {
      guard let waiting = try publisher.waiting(in: queue), waiting >= limit else { return true }
      console.detail("\(waiting) tasks wait in '\(queue)' already: nothing is published")
      return false
    } catch {
      if spool.isUsed && error.kind.mayPass { return true }
      throw Failure(error, at: location)
    }
  }

  private static func tell(_ event: PublisherEvent, _ console: Console) {
    switch event {
    case .connected(let broker, let address):
      console.detail("connected to \(broker) at \(address.location)")
    case .declaring(let queue):
      console.detail("queue '\(queue)' does not exist: declaring it, and publishing again")
    case .blocked(let reason, let patience):
      console.notice("the broker takes no tasks for now: \(reason); waiting \(patience.spoken) at most")
    case .unblocked:
      console.notice("the broker takes tasks again")
    case .declined(let reason, let patience):
      console.notice("a task is not taken: \(reason); trying again for \(patience.spoken)")
    case .lost(let error, let onTheirWay, let retry):
      let again = onTheirWay > 0 ? "; what was not confirmed (\(onTheirWay)) is sent again" : ""
      console.notice(
        "cannot \(error.operation): \(error.detail); trying again in \(retry.spoken)\(again)")
    }
  }
}
