extension Peek {
  static var subcommand: Subcommand {
    Subcommand(
      name: "peek", summary: "Show waiting tasks without taking them", operands: .list("queue", atMost: 1),
      examples: """
        $ workq peek task_queue.failed              why tasks were parked
        $ workq peek -c 1000 --json | jq .body
        $ workq peek -c 100 --list                  a line for each task
        $ workq peek --raw > task                   the next task's body, byte for byte
        """,
      description: """
        workq receives the tasks and requeues them in their order: workers see them as redelivered. Up to RabbitMQ \
        4.2 a quorum queue counts this as a delivery. There, from 4.0 on, a task that was returned ten times is \
        replaced by a copy at the end of the queue, before the queue's delivery limit (20) drops it. Long bodies are \
        cut; --json and --raw print them in full. If no task waits, the exit code is 0, or 75 with --raw. Streams, \
        and quorum queues with a single active consumer, cannot be inspected. Without a queue it shows that of \
        --queue or WORKQ_QUEUE; --url or WORKQ_URL names the broker.
        """,
      groups: { [choice, .connection, .output] },
      check: { (settings) throws(UsageError) in
        guard !settings.peek.isRaw || !settings.output.isJSON else {
          throw UsageError("--raw and --json exclude each other")
        }
        guard !settings.peek.isRaw || !settings.peek.isList else {
          throw UsageError("--raw and --list exclude each other")
        }
      },
      run: { try Peek(settings: $0).run() })
  }

  private static var choice: OptionGroup {
    OptionGroup(
      title: "Peek options",
      options: [
        .value("count", short: "c", "n", common: true, default: "10", "Maximum number of tasks to show") {
          (settings, value) throws(UsageError) in
          settings.peek.count = try Value.integer(value, 1...Int.max)
        },
        .flag(
          "list", common: true, "Print a line for each task",
          """
          The line has the task's id, the time since it failed or was published, its attempts, the reason of the \
          last failure, and the body's first 40 characters. A narrow terminal gets fewer columns. Excludes \
          --raw.
          """
        ) { $0.peek.isList = true },
        .flag(
          "raw", common: true, "Write the first body to stdout, byte for byte",
          "Nothing else is written. The exit code is 75 when no task waits. Excludes --json."
        ) { $0.peek.isRaw = true },
      ])
  }
}

extension Move {
  static var subcommand: Subcommand {
    Subcommand(
      name: "move", summary: "Send tasks from one queue to another", operands: .exactly(["from", "to"]),
      examples: """
        $ workq move task_queue.failed task_queue          bring back parked tasks
        $ workq move -c 1 task_queue.failed task_queue     only the oldest
        $ workq move --match x-workq-exit-status=2 --dry-run task_queue.failed later
                                       what would be moved
        """,
      description: """
        Both queues must exist. A task is acknowledged in the first queue after the broker has confirmed it in the \
        second. An interrupted move loses no task; unconfirmed tasks may be in both queues. Properties and headers \
        are kept, except headers about attempts and failures, and those that the broker added. --url or WORKQ_URL \
        names the broker; WORKQ_QUEUE has no effect.
        On the first Ctrl-C the command finishes the tasks in flight and requeues the others. On the second it stops \
        at once.
        """,
      groups: { [choice, .connection, .output] },
      check: { (settings) throws(UsageError) in
        guard settings.operands[0] != settings.operands[1] else {
          throw UsageError("from and to are the same queue")
        }
      },
      run: { try Move(settings: $0).run() })
  }

  private static var choice: OptionGroup {
    OptionGroup(title: "Move options", options: choices(verb: "move", participle: "moved"))
  }

  /// The options of `move` and `retry`.
  static func choices(verb: String, participle: String) -> [Option] {
    [
      .value(
        "count", short: "c", "n", common: true, "Maximum number of tasks to \(verb)",
        "The default is all that wait at the start."
      ) { (settings, value) throws(UsageError) in
        settings.move.count = try Value.integer(value, 1...Int.max)
      },
      .value(
        "id", "id", repeats: true, common: true,
        "\(verb == "retry" ? "Retry" : "Move") only the task with this message id",
        """
        Can be repeated: each task with one of the ids is \(participle).
        """
      ) { (settings, value) throws(UsageError) in
        settings.move.ids.insert(try Value.shortText(value))
      },
      .value(
        "match", "header=value", repeats: true, common: true,
        "\(verb == "retry" ? "Retry" : "Move") only tasks with this header",
        """
        A number matches its digits as text. Can be repeated: all must match.
        """
      ) { (settings, value) throws(UsageError) in
        settings.move.matches.append(try Value.field(value, "HEADER=VALUE"))
      },
      .flag("keep-attempts", common: true, "Keep headers about attempts and failures") {
        $0.move.keepsAttempts = true
      },
      .flag(
        "dry-run", common: true, "Move nothing; print the tasks that would be moved",
        "One line per task: id, time since it failed, attempts, reason, and the start of the body."
      ) { $0.move.isDryRun = true },
    ]
  }
}

extension Purge {
  static var subcommand: Subcommand {
    Subcommand(
      name: "purge", summary: "Remove the waiting tasks of queues, or the queues",
      operands: .list("queue", atMost: nil),
      examples: """
        $ workq purge                       asks first, at a terminal
        $ workq purge --force old older     in a script
        $ workq purge --delete --if-unused --if-empty old
        $ workq purge --delete --all --force old   with its retry and delay queues
        """,
      description: """
        workq prints the number of removed tasks. Tasks that workers hold are not waiting, and stay: the workers \
        finish or requeue them. --delete deletes them with the queue. Without a queue it purges that of --queue or \
        WORKQ_QUEUE; --url or WORKQ_URL names the broker.
        Tasks that are scheduled for retry or delayed wait in other queues. --delete reports the retry queues of \
        workers with these --retry-delay and --retry-max-delay, and the queue of each given --delay; --all deletes \
        them, too. Tasks that the broker is returning at that moment cannot be counted.
        """,
      groups: { [choice, .connection, .output] },
      check: { (settings) throws(UsageError) in
        let purge = settings.purge
        guard purge.delete || !purge.isConditional else {
          throw UsageError("--if-empty and --if-unused are conditions of --delete")
        }
        guard purge.delete || !purge.all && purge.delays.isEmpty else {
          throw UsageError("--all and --delay say what --delete deletes and looks for")
        }
        guard !purge.all || !purge.ifEmpty else {
          throw UsageError("--all deletes tasks that wait: it does not go with --if-empty")
        }
      },
      run: { try Purge(settings: $0).run() })
  }

  private static var choice: OptionGroup {
    OptionGroup(
      title: "Purge options",
      introduction: """
        All but --force need --delete. A queue that does not meet a condition is not deleted (75). RabbitMQ does not \
        support conditions for quorum queues (64).
        """,
      options: [
        .flag("force", short: "f", common: true, "Do not ask") { $0.purge.force = true },
        .flag("delete", common: true, "Delete the queue, too") { $0.purge.delete = true },
        .flag(
          "if-empty", common: true, "Delete the queue only if no task waits in it",
          "Not for streams, whose tasks RabbitMQ does not count (78)."
        ) { $0.purge.ifEmpty = true },
        .flag("if-unused", common: true, "Delete the queue only if it has no consumers") {
          $0.purge.ifUnused = true
        },
        .flag(
          "all", common: true, "Delete its retry and delay queues, too",
          "Their tasks are deleted with them. Excludes --if-empty."
        ) { $0.purge.all = true },
        .value(
          "retry-delay", "duration", common: true, default: "10s", "First retry delay of the queue's workers"
        ) {
          (settings, value) throws(UsageError) in
          settings.purge.retryDelay = try Value.duration(value)
        },
        .value(
          "retry-max-delay", "duration", common: true, default: "1h",
          "Longest retry delay of the queue's workers"
        ) { (settings, value) throws(UsageError) in
          settings.purge.retryMaxDelay = try Value.duration(value)
        },
        .value(
          "delay", "duration", repeats: true, common: true, "A delay that tasks were published with",
          "Can be repeated."
        ) { (settings, value) throws(UsageError) in
          settings.purge.delays.append(try Value.duration(value))
        },
      ])
  }
}
