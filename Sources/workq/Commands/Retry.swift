internal import AMQP
internal import WorkQueue

/// `workq retry`: moves parked tasks back to their work queue.
struct Retry {
  let settings: Settings

  func run() throws {
    let names = try ParkedQueues(settings)
    var exists = true
    try settings.withConnection(for: "retry", isRepeatable: true) { link, console in
      exists = try link.status(ofQueue: names.failed) != nil
      guard !exists else { return }
      try names.checkWorkQueue(&link)
      console.notice("no task is parked in '\(names.failed)'")
    }
    if exists { try Move(settings: settings).run(from: names.failed, to: names.work, for: "retry") }
  }
}
