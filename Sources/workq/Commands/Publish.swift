internal import AMQP
internal import Glibc
internal import WorkQueue

/// What is published, and how.
struct PublishSettings: Equatable {
  var input = InputSettings()
  /// The properties of all tasks.
  var properties = Message.Properties(deliveryMode: .persistent)
  var delay: Duration?
  var delivery = DeliverySettings()
  var spool = SpoolSettings()
  /// `--persistent` and `--transient`, if given.
  var durabilities: Set<Message.Properties.DeliveryMode> = []
}

/// `workq publish`: sends tasks to a queue or an exchange.
struct Publish {
  let operands: [String]
  let connection: ConnectionSettings
  let output: OutputSettings
  let input: InputSettings
  let properties: Message.Properties
  let delay: Duration?
  let delivery: DeliverySettings
  let spool: SpoolSettings

  init(_ settings: Settings) {
    let publish = settings.publish
    (operands, connection, output) = (settings.operands, settings.connection, settings.output)
    (input, delivery, spool) = (publish.input, publish.delivery, publish.spool)
    (properties, delay) = (publish.properties, publish.delay)
  }

  func run() throws {
    guard isBatch else { return try publishAll() }
    let signals = try Signals([SIGINT, SIGTERM, SIGHUP], requestsEndAfter: 2)
    try publishAll()
    // Signals are caught until here.
    _ = signals.receive()
  }

  private func publishAll() throws {
    let console = output.console
    let queue = try connection.queueName()
    let template = try template(queue, console)
    var source = try source(template, console)
    let addresses = try connection.addresses(console)
    let clearsLine = source.progress != nil
    var publisher = Publisher(senderOptions(addresses), retryFor: delivery.retryFor) {
      if clearsLine { Console.draw("") }
      Self.report($0, console)
    }
    if spool.onlyFlushes {
      try flush(&publisher, addresses, console)
    } else if spool.isUsed {
      try publishSpooled(&source, &publisher, waitingLimit(queue), addresses, console)
    } else if try mayPublish(&publisher, waitingLimit(queue), addresses, console) {
      try publish(&source, &publisher)
    }
    if let signal = Signals.stop { return try stop(&source, by: signal, addresses, console) }
    publisher.close()
    try source.finish()
    try PublishSummary(source.tally, at: addresses, isBatch: isBatch).report(console, source.progress)
  }

  private func publish(_ source: inout PublishInput, _ publisher: inout Publisher) throws {
    do throws(AMQPError) {
      try publisher.publish(&source)
    } catch {
      source.ended(by: error)
    }
  }

  /// Writes records that were read and not published to `--failed-to` or the spool, and ends the process by the
  /// signal.
  private func stop(
    _ source: inout PublishInput, by signal: Int32, _ addresses: [Address], _ console: Console
  ) throws {
    source.ended(by: Publisher.stopped(by: signal))
    try source.finish()
    let message = PublishSummary(source.tally, at: addresses, isBatch: isBatch).stopped(by: signal)
    console.failure(message)
    if output.isJSON { console.print([.error: message, .code: 128 + signal]) }
    Signals.die(by: signal)
  }

  private func publishSpooled(
    _ source: inout PublishInput, _ publisher: inout Publisher, _ limit: WaitingLimit?,
    _ addresses: [Address], _ console: Console
  ) throws {
    var spooled = try spooled(addresses, console)
    do throws(Failure) {
      try spooled.run(&publisher, &source, limit)
    } catch {
      try source.finish()
      throw error
    }
  }

  private func flush(_ publisher: inout Publisher, _ addresses: [Address], _ console: Console) throws {
    var spooled = try spooled(addresses, console)
    try spooled.flushOnly(&publisher)
    if let error = spooled.brokerError {
      throw Failure(error, at: addresses.locations)
    }
    if spooled.hasSetAside {
      throw Failure(.dataError, "not all that was kept could be published: see above")
    }
  }

  private func spooled(_ addresses: [Address], _ console: Console) throws(Failure) -> SpooledPublish {
    // The holder of the lock waits no longer than this for the broker, if its options are the same.
    let timeout = connection.connectTimeout + delivery.confirmTimeout
    return try SpooledPublish(directory: spool.path(for: addresses[0]), lockTimeout: timeout, console)
  }

  /// Whether there may be more than one task.
  private var isBatch: Bool { input.splits || input.files.count > 1 }

  private func template(_ queue: String, _ console: Console) throws(Failure) -> TaskTemplate {
    var properties = properties
    if let parent = Environment[TraceContext.parentVariable] {
      if let trace = TraceContext(parent: parent, state: Environment[TraceContext.stateVariable]) {
        trace.add(to: &properties.headers)
      } else {
        console.detail("ignoring \(TraceContext.parentVariable): it is not in the form of W3C Trace Context")
      }
    }
    do throws(AMQPError) {
      try properties.checkNames()
    } catch {
      throw Failure(.usage, error.detail)
    }
    do throws(AMQPError) {
      try properties.checkSize()
    } catch {
      throw Failure(.dataError, error.detail)
    }
    var template = TaskTemplate(properties: properties, routingKey: queue)
    if let exchange = delivery.exchange {
      (template.exchange, template.routingKey) = (exchange, delivery.routingKey ?? "")
    }
    template.delay = delay
    if let misdirection = template.misdirection { throw Failure(.usage, misdirection) }
    return template
  }

  private func source(_ template: TaskTemplate, _ console: Console) throws -> PublishInput {
    try input.checkFiles()
    var options = PublishInput.Options(
      inputs: try inputs(for: template.routingKey), delimiter: input.separator)
    options.isJSON = input.isJSON
    options.isBatch = isBatch
    options.isSpooled = spool.isUsed
    let announcement = PublishReport(
      console: console, isJSON: output.isJSON, printsID: delivery.printsID,
      showsTasks: Console.outputIsTerminal && !console.isQuiet)
    let showsProgress = isBatch && Console.errorIsTerminal && !console.isQuiet && !output.isJSON
    return PublishInput(
      options, template, announcement, failures: try input.failedRecords(),
      progress: showsProgress ? Progress(totalBytes: input.totalBytes) : nil)
  }

  private func inputs(for queue: String) throws -> [RecordReader.Input] {
    if spool.onlyFlushes { return [] }
    if !operands.isEmpty {
      return [.record(Array(operands.map(RawArguments.bytes(of:)).joined(separator: [UInt8(ascii: " ")])))]
    }
    guard !input.splits && input.files.isEmpty else { return input.inputs }
    guard StandardStreams.inputHasData else {
      // An unset variable in a cron job must not send a wrong task.
      guard delivery.exchange == nil, queue == ConnectionSettings.defaultQueue else {
        throw Failure(.usage, "no task given (words or stdin are the task; see 'workq publish --help')")
      }
      return [.record(Array("Hello World!".utf8))]
    }
    // Read completely before connecting: it may be empty, or slow.
    return [.record(try StandardStreams.readInput())]
  }

  private func senderOptions(_ addresses: [Address]) -> SenderOptions {
    var options = SenderOptions(addresses, connection.options(for: "publish"))
    options.connection.rpcTimeout = delivery.confirmTimeout
    options.missingQueue = delivery.declares ? .create : .check
    options.leavesHeadroom = true
    options.confirms = delivery.confirms
    options.mixesExchanges = input.isJSON || spool.isUsed
    options.confirmTimeout = delivery.confirmTimeout
    return options
  }

  /// The limit of `--unless-waiting`.
  private func waitingLimit(_ queue: String) -> WaitingLimit? {
    delivery.unlessWaiting.map { WaitingLimit(count: Int($0), queue: queue, delay: delay) }
  }

  /// Whether fewer tasks wait than `--unless-waiting` allows.
  private func mayPublish(
    _ publisher: inout Publisher, _ limit: WaitingLimit?, _ addresses: [Address], _ console: Console
  ) throws -> Bool {
    guard let limit else { return true }
    do throws(AMQPError) {
      return !limit.isReached(by: try publisher.waiting(in: limit.queues), console)
    } catch  where error.kind == .interrupted && Signals.stop != nil {
      return false
    } catch {
      throw Failure(error, at: addresses.locations)
    }
  }

  private static func report(_ event: SenderEvent, _ console: Console) {
    switch event {
    case .connected(let broker, let address):
      console.detail("connected to \(broker) at \(address.location)")
    case .declaring(let queue):
      console.detail("queue '\(queue)' does not exist: declaring it, and publishing again")
    case .waitingQueue(let event): event.report(to: console)
    case .blocked(let reason, let timeout):
      console.notice(
        "the broker blocks publishers (\(Alarm.description(of: reason))); waiting up to \(timeout.formatted)")
    case .unblocked:
      console.notice("the broker accepts tasks again")
    case .declined(let reason, let timeout):
      console.notice("a task is refused for now: \(reason); trying again for up to \(timeout.formatted)")
    case .lost(let error, let unconfirmed, let retry):
      let again = unconfirmed > 0 ? "; unconfirmed tasks (\(unconfirmed)) are sent again" : ""
      let next = retry == .zero ? "trying the next broker" : "trying again in \(retry.formatted)"
      console.notice("cannot \(error.operation): \(error.detail); \(next)\(again)")
    }
  }
}
