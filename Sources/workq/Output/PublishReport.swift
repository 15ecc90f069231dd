internal import AMQP
internal import WorkQueue

/// The output for each task on stdout: nothing, unless requested or on a terminal.
struct PublishReport {
  let console: Console
  let isJSON: Bool
  let printsID: Bool
  /// Whether tasks are shown as in the tutorial.
  let showsTasks: Bool

  /// Whether anything is printed about published tasks.
  func isUsed(isBatch: Bool) -> Bool { isJSON || printsID || showsTasks && !isBatch }

  func published(_ task: PublishTask, isBatch: Bool) {
    if isJSON {
      report("published", task, isBatch: isBatch)
    } else if printsID {
      console.print(task.envelope.message.properties.messageID ?? "")
    } else if showsTasks && !isBatch {
      console.print(" [x] Sent \(Quoted.bytes(task.envelope.message.body))")
    }
  }

  /// The broker could not accept it now: it went to the spool.
  func kept(_ task: PublishTask, isBatch: Bool) {
    if isJSON {
      report("spooled", task, isBatch: isBatch)
    } else if printsID {
      console.print(task.envelope.message.properties.messageID ?? "")
    } else if showsTasks && !isBatch {
      console.print(" [ ] Spooled \(Quoted.bytes(task.envelope.message.body))")
    }
  }

  func failed(_ task: PublishTask, _ failure: PublishFailure, isBatch: Bool) {
    if isJSON { report("failed", task, isBatch: isBatch, failure.reason) }
  }

  /// A malformed record.
  func invalid(_ number: Int, _ reason: String) {
    if isJSON { console.print([.event: "failed", .record: number, .error: reason]) }
  }

  private func report(_ event: String, _ task: PublishTask, isBatch: Bool, _ error: String? = nil) {
    let envelope = task.envelope
    let isQueue = envelope.exchange.isEmpty
    console.print([
      .event: event, .record: isBatch ? task.number : nil, .queue: isQueue ? envelope.routingKey : nil,
      .exchange: isQueue ? nil : envelope.exchange, .routingKey: isQueue ? nil : envelope.routingKey,
      .messageID: envelope.message.properties.messageID, .bytes: envelope.message.body.count, .error: error,
    ])
  }
}
