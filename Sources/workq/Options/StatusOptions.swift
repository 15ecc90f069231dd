extension Status {
  static var subcommand: Subcommand {
    Subcommand(
      name: "status", summary: "Show how many tasks wait, and how many consumers there are",
      operands: .list("queue", atMost: nil),
      examples: """
        $ workq status                   task_queue, its retries, its parked tasks
        $ workq status mail pdf --watch  every two seconds, until Ctrl-C
        $ workq status --max-waiting 1000 --min-consumers 1 --max-failed 0
                                         for monitoring: exit code 0 or 75
        """,
      description: """
        The command uses passive declares: it changes nothing, and needs no management plugin. Tasks that workers \
        hold are not waiting, and not counted. Without a queue it shows that of --queue or WORKQ_QUEUE; --url or \
        WORKQ_URL names the broker.
        AMQP cannot list queues. For each queue, status also looks for its failed queue; for the retry queues of \
        workers with these --retry-delay and --retry-max-delay, up to the first missing one; and for the queue of \
        each given --delay. Any other queue can be named: `workq status task_queue.retry.1500ms`. The broker logs \
        each missing queue; --watch looks for missing ones after 1 min and then less often.
        Lines on stderr say what is not counted: tasks that workers hold, tasks that wait with other delays, and \
        tasks that the broker is moving from a retry or delay queue to the work queue.
        """,
      groups: { [choice, .connection, .output] },
      check: { (settings) throws(UsageError) in
        guard settings.status.interval == nil || !settings.status.isCheck else {
          throw UsageError("--max-waiting, --min-consumers and --max-failed look once: leave out --watch")
        }
      },
      run: { try Status(settings: $0).run() })
  }

  private static var choice: OptionGroup {
    OptionGroup(
      title: "Status options",
      introduction: """
        With --max-waiting, --min-consumers or --max-failed, success prints nothing except with --json. Retry and \
        delay queues are ignored, and --watch is refused. A missing failed queue has no parked tasks.
        """,
      options: [
        .optional(
          "watch", "duration", apart: { $0.first?.isNumber == true }, common: true, default: "2s",
          "Look again after this time, until Ctrl-C",
          "At least 100ms. A word that follows the option is its value if it begins with a digit."
        ) { (settings, value) throws(UsageError) in
          settings.status.interval =
            try value.map { (text) throws(UsageError) in
              try Value.duration(text, atLeast: .milliseconds(100))
            } ?? .seconds(2)
        },
        .value("max-waiting", "n", common: true, "Exit with 75 if more tasks wait in a queue") {
          (settings, value) throws(UsageError) in
          settings.status.maxWaiting = try Value.integer(value, 0...UInt32.max)
        },
        .value("min-consumers", "n", common: true, "Exit with 75 if a queue has fewer consumers") {
          (settings, value) throws(UsageError) in
          settings.status.minConsumers = try Value.integer(value, 0...UInt32.max)
        },
        .value("max-failed", "n", common: true, "Exit with 75 if more tasks are parked") {
          (settings, value) throws(UsageError) in
          settings.status.maxFailed = try Value.integer(value, 0...UInt32.max)
        },
        .value(
          "retry-delay", "duration", common: true, default: "10s", "First retry delay of the queue's workers"
        ) {
          (settings, value) throws(UsageError) in
          settings.status.retryDelay = try Value.duration(value)
        },
        .value(
          "retry-max-delay", "duration", common: true, default: "1h",
          "Longest retry delay of the queue's workers"
        ) { (settings, value) throws(UsageError) in
          settings.status.retryMaxDelay = try Value.duration(value)
        },
        .value(
          "delay", "duration", repeats: true, common: true, "A delay that tasks were published with",
          "Can be repeated."
        ) { (settings, value) throws(UsageError) in
          settings.status.delays.append(try Value.duration(value))
        },
      ])
  }
}
