internal import ArgumentParser

/// Where tasks go, and how sure of it we want to be, as it is typed.
struct DeliveryOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Publish to this exchange instead of straight to the queue.", valueName: "name"))
  var exchange: String?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The routing key, with --exchange.", valueName: "key"))
  var routingKey: String?

  @Flag(name: .customLong("no-declare"), help: "Fail with 78 when the queue is missing; do not make it.")
  var doesNotDeclare = false

  @Flag(
    name: .customLong("no-confirm"),
    help: "Do not wait until the broker has taken responsibility: a crash of it may lose tasks.")
  var doesNotConfirm = false

  @Option(
    help: ArgumentHelp(
      "Wait so long for the broker to confirm a task, then exit with 75.", valueName: "duration"))
  var confirmTimeout = TimeSpan(DeliverySettings().confirmTimeout)

  @Option(
    help: ArgumentHelp(
      "Keep trying for this long while the broker is unreachable or refuses for now, or a queue is full; 0 is not at all.",
      valueName: "duration"))
  var retryFor = TimeSpan(DeliverySettings().retryFor)

  @Option(
    help: ArgumentHelp(
      "Publish nothing, and exit with 0, when n or more tasks wait already, in the spool or for --delay, too.",
      valueName: "n")
  )
  var unlessWaiting: UInt32?

  @Flag(help: "Write the id of each published task to stdout.")
  var printID = false

  func validate() throws {
    if let exchange, exchange.utf8.count > 255 {
      throw ValidationError("--exchange is longer than 255 bytes.")
    }
    if let routingKey {
      guard exchange != nil else { throw ValidationError("--routing-key goes with --exchange; see --queue.") }
      guard routingKey.utf8.count <= 255 else {
        throw ValidationError("--routing-key is longer than 255 bytes.")
      }
    }
    for text in [exchange, routingKey] {
      if let text, RawArguments.isEscaped(text) { throw ValidationError("A name is not valid UTF-8.") }
    }
    if unlessWaiting == 0 {
      throw ValidationError("--unless-waiting 0 would never publish: 1 is the least.")
    }
    if unlessWaiting != nil && exchange != nil {
      throw ValidationError("--unless-waiting looks at the queue, which --exchange does not name.")
    }
  }

  var settings: DeliverySettings {
    DeliverySettings(
      exchange: exchange, routingKey: routingKey, declares: !doesNotDeclare, confirms: !doesNotConfirm,
      confirmTimeout: confirmTimeout.duration, retryFor: retryFor.duration, unlessWaiting: unlessWaiting,
      printsID: printID)
  }
}
