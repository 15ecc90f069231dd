internal import AMQP
internal import WorkQueue

extension Declare {
  static var subcommand: Subcommand {
    Subcommand(
      name: "declare", summary: "Make sure that queues exist", operands: .list("queue", atMost: nil),
      examples: """
        $ workq declare                task_queue exists afterwards
        $ workq declare mail --type quorum --dead-letter
                                       with mail.failed, for dead-lettered tasks
        $ workq declare errors --bind logs:error.#
        $ workq declare --check mail   only look: exit code 0 or 78
        """,
      description: """
        workq creates missing queues, durable, and prints the waiting tasks and consumers of each. An existing queue \
        is accepted as it is, or with options about properties only if it has exactly these; otherwise the exit code \
        is 78, and a table shows the differences. To change properties, delete the queue (workq purge --delete) and \
        declare it again, or use a policy (TTL, lengths, dead letters). Without a queue it declares that of --queue \
        or WORKQ_QUEUE; --url or WORKQ_URL names the broker.
        """,
      groups: { [actions, properties, .connection, .output] },
      check: { (settings) throws(UsageError) in
        let declare = settings.declare
        try declare.queue.check()
        guard declare.onlyChecks else { return }
        guard declare.queue.queue(named: "") == nil, declare.bindings.isEmpty else {
          throw UsageError("--check looks whether a queue exists, not at its properties or bindings")
        }
      },
      run: { try Declare(settings: $0).run() })
  }

  private static var actions: OptionGroup {
    OptionGroup(
      title: "Actions",
      options: [
        .flag(
          "check", common: true, "Declare nothing; exit with 78 if one is missing",
          "Excludes --bind and the options about properties."
        ) { $0.declare.onlyChecks = true },
        .value(
          "bind", "exchange:key", repeats: true, common: true,
          "Bind the queue to this exchange with this key",
          "The exchange must exist. Can be repeated."
        ) { (settings, value) throws(UsageError) in
          guard let binding = Binding(argument: value) else {
            throw UsageError("invalid binding '\(Quoted.plain(value))'", use: "use EXCHANGE:KEY")
          }
          settings.declare.bindings.append(binding)
        },
      ])
  }

  private static var properties: OptionGroup {
    OptionGroup(
      title: "Queue properties",
      introduction: """
        If the broker's version is known to ignore or to refuse one of them, a line on stderr says so.
        """,
      options: [
        .flag("durable", short: "d", common: true, "Survive a restart of the broker (the default)") {
          $0.declare.queue.durabilities.insert(.durable)
        },
        .flag(
          "transient", "Do not survive a restart of the broker",
          "RabbitMQ 4.3 may refuse such queues (78), unless its administrator permits them."
        ) { $0.declare.queue.durabilities.insert(.transient) },
        .value(
          "type", "type", complete: .values(["classic", "quorum", "stream"]), common: true,
          "Type: classic, quorum or stream"
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.type = try Value.choice(
            value, [("classic", .classic), ("quorum", .quorum), ("stream", .stream)])
        },
        .value("max-length", "n", common: true, "Maximum number of waiting tasks") {
          (settings, value) throws(UsageError) in
          settings.declare.queue.maxLength = try Value.integer(value, 0...UInt32.max)
        },
        .value("max-bytes", "size", "Maximum size of the waiting tasks' bodies, such as 64k or 16M") {
          (settings, value) throws(UsageError) in
          settings.declare.queue.maxBytes = try Value.size(value).bytes
        },
        .value(
          "overflow", "how", complete: .values(["drop-head", "reject-publish"]), common: true,
          "When full: drop-head or reject-publish",
          """
          `drop-head`, RabbitMQ's default, drops the oldest task. With `reject-publish`, workq-publish(1) exits \
          with 65, and retries can be late; see WAITING QUEUES in workq-work(1). When RabbitMQ restarts, it drops \
          the oldest tasks of a classic queue that has more than its limit, although it rejects: tasks that \
          workers have count then. A quorum queue keeps them all.
          """
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.overflow = try Value.choice(
            value, [("drop-head", .dropHead), ("reject-publish", .rejectPublish)])
        },
        .value(
          "message-ttl", "duration", common: true, "Expire tasks after this time",
          "They are dropped, or dead-lettered if the queue has --dead-letter."
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.messageTTL = try Value.duration(value)
        },
        .value("expires", "duration", "Delete the queue, with its tasks, when unused for this long") {
          (settings, value) throws(UsageError) in
          settings.declare.queue.expires = try Value.duration(value)
        },
        .optional(
          "dead-letter", "queue", apart: isQueueName, common: true, default: "<queue>.failed",
          "Dead-letter refused and expired tasks to <queue>",
          """
          Tasks that a full queue drops are dead-lettered, too. The other queue is created, too. A word that \
          follows the option is its value, unless it begins with a dash.
          """
        ) { (settings, value) throws(UsageError) in
          guard value.map({ !$0.isEmpty }) != false else { throw UsageError("the queue's name is empty") }
          settings.declare.queue.deadLetter = QueueSettings.DeadLetter(
            name: try value.map { (name) throws(UsageError) in try Value.shortText(name) })
        },
        .value(
          "max-priority", "n", common: true, "Deliver tasks by priority, from 0 to <n>",
          "255 at most; each priority costs the broker memory, and 10 is enough."
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.maxPriority = try Value.integer(value, 1...UInt8.max)
        },
        .value(
          "delivery-limit", "n", "Maximum returns of a task before it is dropped or dead-lettered",
          """
          For quorum queues; workq(1) has the defaults, and what counts. Workers replace a task before it \
          reaches 20, see workq-work(1), but cannot see a limit below 11.
          """
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.deliveryLimit = try Value.integer(value, 0...UInt32.max)
        },
        .flag("single-active-consumer", "Deliver to one consumer at a time; the others stand by") {
          $0.declare.queue.singleActiveConsumer = true
        },
        .value(
          "consumer-timeout", "duration", "Maximum time for which a worker can hold a task",
          """
          From RabbitMQ 3.12 on, and from 4.3 on for quorum queues only. There the timeout that a worker \
          requests takes precedence; see workq-work(1).
          """
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.consumerTimeout = try Value.duration(value)
        },
        .value(
          "retry-delay", "duration", "Delay of the queue's own retries (RabbitMQ 4.3, quorum queues)",
          """
          For `work --retry-by broker`. After its nth failure a task waits n times as long. Needs --type quorum. \
          Earlier versions ignore it.
          """
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.retryDelay = try Value.duration(value, atMost: WaitingQueue.longestDelay)
        },
        .value(
          "retry-max-delay", "duration", "Maximum delay of the queue's own retries",
          "The default is 1h, or --retry-delay if that is longer. Needs --retry-delay."
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.retryMaxDelay = try Value.duration(value, atMost: WaitingQueue.longestDelay)
        },
        .flag("auto-delete", "Delete the queue when its last consumer is gone") {
          $0.declare.queue.autoDelete = true
        },
        .value(
          "arg", "k=v", repeats: true, "Any other argument: x-name=text or x-name:=5",
          "`K:=V` is a number, `true` or `false`. Can be repeated."
        ) { (settings, value) throws(UsageError) in
          settings.declare.queue.extra.append(
            try Value.field(value, "x-name=text, or x-name:=5 for a number, true or false"))
        },
      ])
  }

  /// Whether the word after `--dead-letter` is its value, as in 1.0.
  private static func isQueueName(_ word: String) -> Bool {
    !word.isEmpty && word.utf8.first != UInt8(ascii: "-") && word.utf8.count <= 255
      && !RawArguments.isEscaped(word)
  }
}
