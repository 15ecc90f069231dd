internal import AMQP
internal import WorkQueue

extension Publish {
  /// The properties of a task.
  static var properties: OptionGroup {
    OptionGroup(
      title: "Properties",
      introduction: "They apply to all tasks of the command. workq always sets the time of publishing.",
      options: [
        .flag("persistent", "Store the task on the broker's disk (the default)") {
          $0.publish.properties.deliveryMode = .persistent
          $0.publish.durabilities.insert(.persistent)
        },
        .flag("transient", "Do not store the task: a restart of the broker loses it") {
          $0.publish.properties.deliveryMode = .transient
          $0.publish.durabilities.insert(.transient)
        },
        .value(
          "header", short: "H", "header", repeats: true, common: true, "Add a header: 'K: V', K=V or K:=V",
          """
          `K: V` and `K=V` are text; `K:=V` is a number, `true` or `false`. Can be repeated. Integers beyond 64 \
          bits with a sign are refused. All headers together can have 122880 bytes, or fewer if the broker's \
          frame_max is below 128 KiB.
          """
        ) { (settings, value) throws(UsageError) in
          let header = try Value.field(value, "'K: V' or K=V for text, K:=V for a number, true or false")
          var headers = settings.publish.properties.headers ?? FieldTable()
          headers[header.name] = header.value
          settings.publish.properties.headers = headers
        },
        .value(
          "priority", "n", common: true, "Priority, 0 to 255, in a queue that has priorities",
          "Classic queues need `declare --max-priority`."
        ) { (settings, value) throws(UsageError) in
          settings.publish.properties.priority = try Value.integer(value, 0...UInt8.max)
        },
        .value(
          "ttl", "duration", common: true, "Discard the task if it is not delivered in time",
          """
          Time in the spool does not count. Excludes --delay.
          """
        ) { (settings, value) throws(UsageError) in
          settings.publish.properties.expiration = "\(TimeSpan(try Value.duration(value)).milliseconds)"
        },
        .value(
          "delay", "duration", common: true, "Deliver the task only after this delay",
          """
          At most 49 days. The task waits in the broker; see WAITING QUEUES in workq-work(1). Time in the spool \
          does not count. Excludes --exchange and --ttl.
          """
        ) { (settings, value) throws(UsageError) in
          settings.publish.delay = try Value.duration(value, atMost: WaitingQueue.longestDelay)
        },
        text("content-type", short: "C", "type", "MIME type of the body") { $0.contentType = $1 },
        text("content-encoding", "encoding", "Encoding of the body, such as gzip", "workq sends it as it is.")
        {
          $0.contentEncoding = $1
        },
        text("message-id", "id", "Id of the task", "The default is a new UUID for each task.") {
          $0.messageID = $1
        },
        text("correlation-id", "id", "Id that relates the task to others") { $0.correlationID = $1 },
        text("reply-to", "queue", "Queue for an answer") { $0.replyTo = $1 },
        text("type", "name", "Kind of task, for its worker") { $0.type = $1 },
        text("app-id", "name", "Name of the sending program") { $0.appID = $1 },
        text(
          "user-id", "name", "Name of the sending user",
          "The broker refuses any name but that of the user who is logged in."
        ) { $0.userID = $1 },
      ])
  }

  private static func text(
    _ long: String, short: Unicode.Scalar? = nil, _ valueName: String, _ summary: String,
    _ details: String = "", set: @escaping (inout Message.Properties, String) -> Void
  ) -> Option {
    .value(long, short: short, valueName, summary, details) { (settings, value) throws(UsageError) in
      guard !RawArguments.isEscaped(value) else { throw UsageError("the value is not valid UTF-8") }
      set(&settings.publish.properties, value)
    }
  }

  /// Refuses options that contradict each other or would have no effect.
  static func check(_ settings: Settings) throws(UsageError) {
    let (publish, operands) = (settings.publish, settings.operands)
    let (input, delivery, spool) = (publish.input, publish.delivery, publish.spool)
    try input.check()
    try delivery.check()
    guard publish.durabilities.count < 2 else {
      throw UsageError("--persistent and --transient exclude each other")
    }
    let comesFromElsewhere = input.splits || !input.files.isEmpty
    guard operands.isEmpty || !comesFromElsewhere else {
      throw UsageError("a task is given by words, or by an input option, not by both")
    }
    if spool.onlyFlushes {
      guard operands.isEmpty && !comesFromElsewhere else {
        throw UsageError("--flush-spool sends only what the spool has: no task goes with it")
      }
      if let option = idleOption(settings) {
        throw UsageError("--flush-spool sends only what the spool has: leave out \(option)")
      }
    }
    guard delivery.confirms || !spool.isUsed else {
      throw UsageError(
        "--spool and --no-confirm exclude each other: without confirms it is not known what must be kept")
    }
    guard delivery.confirms || input.failedTo == nil else {
      throw UsageError(
        "--failed-to and --no-confirm exclude each other: without confirms it is not known what failed")
    }
    guard delivery.exchange == nil || settings.connection.queue == nil else {
      throw UsageError("--queue and --exchange exclude each other")
    }
    if let delay = publish.delay, delay > .zero {
      guard delivery.exchange == nil else {
        throw UsageError("--delay needs a queue: it does not go with --exchange")
      }
      guard publish.properties.expiration == nil else {
        throw UsageError("--ttl and --delay exclude each other: RabbitMQ removes the TTL when the delay ends")
      }
    }
    guard !delivery.printsID || !settings.output.isJSON else {
      throw UsageError("--json prints the ids, too: leave --print-id out")
    }
  }

  /// A given option that has no effect with `--flush-spool`.
  private static func idleOption(_ settings: Settings) -> String? {
    let (publish, delivery) = (settings.publish, settings.publish.delivery)
    let hasProperties = publish.properties != PublishSettings().properties
    if hasProperties || !publish.durabilities.isEmpty || publish.delay != nil {
      return "the options about properties"
    }
    if settings.connection.queue != nil { return "--queue" }
    if delivery.exchange != nil { return "--exchange" }
    if delivery.unlessWaiting != nil { return "--unless-waiting" }
    return delivery.printsID ? "--print-id" : nil
  }
}
