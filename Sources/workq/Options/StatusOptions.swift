extension Status {
  static var subcommand: Subcommand {
    Subcommand(
      name: "status", summary: "Show how many tasks wait, and how many consumers there are",
      operands: .words("queue", atMost: nil),
      examples: """
        $ workq status                   task_queue, its retries, its parked tasks
        $ workq status mail pdf --watch  every two seconds, until Ctrl-C
        $ workq status --max-waiting 1000 --min-consumers 1 --max-failed 0
                                         for monitoring: exit code 0 or 75
        """,
      description: """
        The command changes nothing: a passive declare of each queue needs no management plugin. Tasks that workers \
        hold at the moment are not waiting, and do not count. Without a queue it shows the one of --queue or \
        WORKQ_QUEUE; --url or WORKQ_URL names the broker.
        A broker does not list queues to its clients. Besides each queue, status looks for its failed queue, and \
        for the queues in which tasks wait for a retry, as workers with these --retry-delay and --retry-max-delay \
        declare them, up to the first that is missing. It looks for the queues of `publish --delay` for each \
        --delay that is given here. Any other queue is found by its name: `workq status task_queue.retry.1500ms`. \
        The broker logs each missing queue; --watch looks for missing ones after 1 min and then less often, and \
        --max-waiting and --min-consumers do not look for them.
        A line on stderr says what the table leaves out: tasks that workers hold, and tasks that wait with other \
        delays than those that were named. No count includes the tasks that the broker is moving from a retry or delay queue to the work queue.
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
        With --max-waiting, --min-consumers and --max-failed nothing is printed on success but what --json asks \
        for, only the queues themselves are looked at, with --max-failed also their failed queues, and --watch is \
        refused. A failed queue that does not exist has no parked tasks.
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
