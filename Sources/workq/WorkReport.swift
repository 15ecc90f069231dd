internal import AMQP
internal import FoundationEssentials
internal import WorkQueue

/// What a worker's events look like: the tutorial's lines on stdout, the rest on stderr, or JSON.
struct WorkReport {
  let console: Console
  let isJSON: Bool
  let queue: String

  func tell(_ event: WorkerEvent) {
    if isJSON { console.print(JSON.line(Line(event, queue: queue))) }
    switch event {
    case .waiting(let broker, let address):
      console.detail("connected to \(broker) at \(address.location), consuming '\(queue)'")
      data(" [*] Waiting for messages. To exit press CTRL+C")
    case .received(let delivery):
      if delivery.isRedelivered { console.detail("the next task was handed out before") }
      data(" [x] Received \(Quoted.bytes(delivery.message.body))")
    case .done: data(" [x] Done")
    case .doneInVain:
      data(" [x] Done")
      console.notice("the task's acknowledgement came too late: the broker gives the task out again")
    case .lost(let error, let running, let retry):
      console.notice(
        "connection lost: \(error.detail)\(again(running)); connecting again in \(retry.spoken)")
    case .unreachable(let error, let retry):
      console.notice("cannot \(error.operation): \(error.detail); trying again in \(retry.spoken)")
    case .reconnected(let broker, let address):
      console.notice("connected again to \(broker) at \(address.location)")
    case .cancelled(let queue):
      console.notice("the broker stopped consuming from '\(queue)': the queue was deleted or has moved")
    case .channelClosed(let error, let running):
      console.notice("the broker closed the channel: \(error.detail)\(again(running))")
    case .resumed(let queue):
      console.notice("consuming from '\(queue)' again")
    case .stopping(let running, let handedBack):
      let rest = handedBack > 0 ? "; gave back \(tasks(handedBack)) not begun" : ""
      let last = running > 0 ? ": finishing \(tasks(running)), again CTRL+C leaves at once" : ""
      console.notice("stopping\(last)\(rest)")
    case .abandoned(let running, let acknowledges):
      let fate = acknowledges ? "go back to the queue" : "are lost (--no-ack)"
      console.notice(running > 0 ? "left at once: unfinished tasks (\(running)) \(fate)" : "left at once")
    }
  }

  private func data(_ line: String) {
    if !isJSON && !console.isQuiet { console.print(line) }
  }

  private func again(_ running: Int) -> String {
    running > 0 ? "; the task at hand goes on, but the broker gives it out again" : ""
  }

  private func tasks(_ count: Int) -> String { count == 1 ? "1 task" : "\(count) tasks" }
}

extension WorkReport {
  /// An event as JSON, its keys in snake case; those that do not apply are left out.
  private struct Line: Encodable {
    let time = Date.now.ISO8601Format()
    let queue: String
    var event = ""
    var messageID: String?
    var redelivered: Bool?
    var body: String?
    var bodyBase64: String?
    var seconds: Double?
    var error: String?
    var retryInSeconds: Double?
    var tasks: Int?
    var handedBack: Int?
    var broker: String?

    init(_ event: WorkerEvent, queue: String) {
      self.queue = queue
      switch event {
      case .waiting(_, let address): (self.event, broker) = ("waiting", address.location)
      case .received(let delivery):
        self.event = "received"
        messageID = delivery.message.properties.messageID
        redelivered = delivery.isRedelivered
        (body, bodyBase64) = JSON.body(delivery.message.body)
      case .done(let delivery, let duration): finished("done", delivery, duration)
      case .doneInVain(let delivery, let duration): finished("done_in_vain", delivery, duration)
      case .lost(let error, let running, let retry):
        (self.event, self.error, tasks) = ("lost", error.detail, running)
        retryInSeconds = retry / .seconds(1)
      case .unreachable(let error, let retry):
        (self.event, self.error) = ("unreachable", error.detail)
        retryInSeconds = retry / .seconds(1)
      case .reconnected(_, let address): (self.event, broker) = ("reconnected", address.location)
      case .cancelled: self.event = "cancelled"
      case .channelClosed(let error, let running):
        (self.event, self.error, tasks) = ("channel_closed", error.detail, running)
      case .resumed: self.event = "resumed"
      case .stopping(let running, let count):
        (self.event, tasks, handedBack) = ("stopping", running, count)
      case .abandoned(let running, _): (self.event, tasks) = ("abandoned", running)
      }
    }

    private mutating func finished(_ name: String, _ delivery: Delivery, _ duration: Duration) {
      (event, messageID, seconds) = (name, delivery.message.properties.messageID, duration / .seconds(1))
    }
  }
}
