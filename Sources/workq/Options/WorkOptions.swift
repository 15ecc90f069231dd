internal import AMQP
internal import WorkQueue

extension Work {
  static var subcommand: Subcommand {
    Subcommand(
      name: "work", summary: "Take tasks from a queue and work on them", operands: .command,
      examples: """
        $ workq work                        fake the work: a second for each dot
        $ workq work -- ./resize            run a command; the task is its stdin
        $ workq work -j 8 --timeout 5m -- ./resize
                                            eight at a time, five minutes each at most
        $ workq work --shell                each task is a command line
        $ workq work --argument -- ./fetch  the task is the command's last argument
        $ workq work -I -- convert {} small-{/}
                                            the task is a path in its arguments
        $ workq work --drain -- ./resize    in a cron job: exit when no task waits
        """,
      description: """
        workq runs the command for each task, with the body on stdin, and acknowledges the task when the command \
        exits with 0. If the worker dies before, the broker redelivers the task to another worker. After any other \
        end of the command the task waits in the broker for a retry, with a delay that doubles each time. After five \
        attempts workq parks it: it moves the task to the failed queue. A command that cannot be run stops the \
        worker (78), at its start if possible. Without a command the work is faked, as in RabbitMQ's tutorial, on \
        task_queue or with --fake.
        The command's environment has the task's properties (WORKQ_QUEUE, WORKQ_MESSAGE_ID, WORKQ_ATTEMPT, \
        WORKQ_HEADER_NAME and others). When it exits, workq kills the rest of its process group. --url or WORKQ_URL \
        names the broker, --queue or WORKQ_QUEUE the queue.
        On the first Ctrl-C, TERM or HUP the worker finishes running tasks, requeues the others and exits. On the \
        second it stops at once.
        """,
      groups: { [tasks, failures, stopping, .connection, .output] },
      check: { (settings) throws(UsageError) in try WorkSettings.check(settings) },
      run: { try Work(settings: $0).run() })
  }

  private static var tasks: OptionGroup {
    OptionGroup(
      title: "Task options",
      options: [
        .value(
          "jobs", short: "j", "n", common: true, default: "1", "Number of tasks to run in parallel",
          "At most 10000."
        ) {
          (settings, value) throws(UsageError) in
          settings.work.jobs = try Value.integer(value, 1...10_000)
        },
        .value(
          "prefetch", aliases: ["prefetch-count"], "n", "Maximum unacknowledged tasks; 0 means unlimited",
          """
          The default is --jobs, times --window or --batch: fair dispatch. With twice as many, the next batch arrives \
          while one runs. 0 is round-robin dispatch.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.prefetch = try Value.integer(value, 0...UInt16.max)
        },
        .value(
          "rate", "n/unit", "Maximum number of tasks started per s, m or h",
          """
          Examples: 10/s, 90/m, 5/h. The limit is per worker; up to one second's worth may start together. If \
          the next start is a minute or more away, the worker stops consuming and requeues tasks that have not \
          started.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.rate = try Value.rate(value)
        },
        .flag(
          "no-ack", short: "A", aliases: ["auto-ack"], "Acknowledge tasks on delivery (a crash loses them)",
          """
          Excludes --count and the action `requeue`.
          """
        ) { $0.work.acknowledges = false },
        .flag(
          "fake", common: true, "Fake the work: a second for each dot",
          """
          This is the default on `task_queue` without a command; other queues require the option.
          """
        ) { $0.work.isFake = true },
        .value("dot", "duration", default: "1s", "Duration of faked work for each dot") {
          (settings, value) throws(UsageError) in
          settings.work.dot = try Value.duration(value)
          settings.work.isFake = true
        },
        .flag(
          "shell", common: true, "Run each task's body with `sh -c`",
          """
          Its stdin is empty. Everybody who can publish to the queue can do anything that this worker's user can.
          """
        ) { $0.work.isShell = true },
        .flag(
          "argument", common: true, "Append the body to the command's arguments",
          """
          The body must be UTF-8 without NUL, and shorter than 128 KiB; other tasks are parked.
          """
        ) { $0.work.takesArgument = true },
        .flag(
          "replace", short: "I", common: true, "Replace {} in arguments by the body",
          """
          `{}` becomes the body, `{/}` its last path component, `{.}` the body without its extension, and `{/.}` \
          both. The body must be UTF-8 without NUL; one newline at its end is dropped. The body is also on \
          stdin. If it can begin with a dash, put `--` in front of the placeholder. Excludes --shell, and a \
          shell with `-c`.
          """
        ) { $0.work.replacesPlaceholders = true },
        .optional(
          "resident", "format", complete: .values(["jsonl", "lines", "null"]), common: true,
          "Start the command once per job, for many tasks",
          """
          The command reads tasks from stdin, and writes an exit status per task, in a line, to descriptor 3. \
          The format is `jsonl` (a JSON object per line; the default), `lines` (body and newline) or `null` \
          (body and NUL). A task whose body contains the delimiter is parked. Excludes --shell, --argument and \
          --replace.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.resident = try Value.choice(
            value ?? "jsonl", [("jsonl", .jsonl), ("lines", .lines), ("null", .null)])
        },
        .value(
          "window", "n", "Maximum tasks without a result per resident command",
          """
          The default is 1. With more, the command can read its next tasks while it works on one, and write \
          results in any order.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.window = try Value.integer(value, 1...10_000)
        },
        .value(
          "max-tasks", "n", "Replace a resident command after this number of tasks",
          """
          Its stdin is closed, and it may finish. The default is no limit.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.maxTasks = try Value.integer(value, 1...Int.max)
        },
        .value(
          "batch", "n", common: true, "Run the command for up to this number of tasks",
          """
          A run starts when this number of tasks or 16 MiB have arrived, or after --batch-wait. The bodies are \
          on stdin, each ended by a newline; with --argument they are also the last arguments. Exit status 0 \
          means that all are done. After any other end the batch is halved, and each half is run again, down to \
          single tasks, which fail alone. A line `#K STATUS` on descriptor 3 is the result of task K, from 1. \
          Excludes --resident, --replace and --shell.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.batch = try Value.integer(value, 1...Int(UInt16.max))
        },
        .value(
          "batch-wait", "duration", "Maximum time that a task waits for its batch",
          "The default is 1s. With --drain a batch starts when no other task arrives within 20 ms."
        ) { (settings, value) throws(UsageError) in
          settings.work.batchWait = try Value.duration(value)
        },
        .value(
          "batch-format", "format", complete: .values(["lines", "null", "jsonl"]),
          "Format of a batch: lines, null or jsonl",
          """
          The default is `lines`. A task whose body contains the delimiter is run alone. `jsonl` is the format \
          of --resident.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.batchFormat = try Value.choice(
            value, [("lines", .lines), ("null", .null), ("jsonl", .jsonl)])
        },
        .flag(
          "pass-url", "Leave the broker's URL in the command's environment",
          """
          Otherwise workq removes WORKQ_URL and the variable that named the broker.
          """
        ) { $0.work.passesURL = true },
        .value(
          "output", "mode", complete: .values(["passthrough", "tagged", "grouped"]), common: true,
          "Output mode: passthrough, tagged or grouped",
          """
          `passthrough` prints output at once (the default for one job). `tagged` prefixes each line with the \
          task's number. `grouped` prints output when the command has ended (the default for several jobs). With \
          --json the output is in the task's event.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.output = try Value.choice(
            value, [("passthrough", .passthrough), ("tagged", .tagged), ("grouped", .grouped)])
        },
        .value(
          "log", "format", complete: .values(["text", "json"]), default: "text",
          "Format of the worker's own lines on stderr: text or json",
          "For JSON see JSON OUTPUT in workq-work(1)."
        ) { (settings, value) throws(UsageError) in
          settings.work.log = try Value.choice(value, [("text", .text), ("json", .json)])
        },
        .flag(
          "timestamps", "Begin each message with the time",
          "ISO 8601, in UTC. JSON and the output of commands do not change."
        ) { $0.output.hasTimestamps = true },
        .value(
          "timeout", "duration", common: true, "Maximum time for a task, then TERM",
          "TERM goes to the command's process group, and the task has failed."
        ) { (settings, value) throws(UsageError) in
          let timeout = try Value.duration(value)
          guard timeout > .zero else { throw UsageError("0 is no time", use: "use more than 0") }
          settings.work.timeout = timeout
        },
        .value("kill-after", "duration", default: "10s", "Time from TERM until KILL") {
          (settings, value) throws(UsageError) in
          settings.work.killAfter = try Value.duration(value)
        },
        .flag("no-declare", "Fail with 78 if the queue is missing; do not create it") {
          $0.work.declares = false
        },
      ])
  }

  private static var failures: OptionGroup {
    OptionGroup(
      title: "Failure options",
      options: [
        .value(
          "max-attempts", "n", common: true, default: "5", "Maximum attempts before a task is parked",
          """
          0 means no limit. An attempt is a run of the command. A task whose workers die is parked after five \
          starts in any case, on quorum queues.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.maxAttempts = try Value.integer(value, 0...Int.max)
        },
        .value(
          "pause-after", "n", "Pause after this many failures in a row",
          """
          Use this for outages of a service that the tasks need. The worker requeues tasks that have not \
          started, and tries single tasks after --retry-delay, twice that, up to --retry-max-delay, until one \
          succeeds. Their failures are not counted as attempts.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.pauseAfter = try Value.integer(value, 1...1_000_000)
        },
        .value(
          "retry-delay", "duration", common: true, default: "10s",
          "First retry delay; doubles with each attempt", "At most 49 days."
        ) { (settings, value) throws(UsageError) in
          settings.work.retryDelay = try Value.duration(value, atMost: WaitingQueue.longestDelay)
        },
        .value("retry-max-delay", "duration", default: "1h", "Maximum delay before a retry") {
          (settings, value) throws(UsageError) in
          settings.work.retryMaxDelay = try Value.duration(value, atMost: WaitingQueue.longestDelay)
        },
        .value(
          "retry-by", "how", complete: .values(["copy", "broker"]), default: "copy",
          "Retry by copy in a waiting queue, or by broker",
          """
          `broker` is the delayed retry of a quorum queue of RabbitMQ 4.3, declared with `declare \
          --retry-delay`; see Retries by the broker in workq-work(1). Excludes --max-attempts 0 or over 15, \
          --retry-delay, --no-ack, --wait-for-retries, --fail-on-retry and the action `requeue`.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.retriesByBroker = try Value.choice(value, [("copy", false), ("broker", true)])
        },
        .value(
          "failed-queue", "name", "Queue for parked tasks",
          """
          The default is `QUEUE.failed`. A missing queue is created.
          """
        ) { $0.work.failedQueue = $1 },
        .value(
          "on-failure", "action", complete: .values(["retry", "requeue", "park", "drop"]), default: "retry",
          "Action after a failure: retry, requeue, park or drop"
        ) { (settings, value) throws(UsageError) in
          settings.work.onFailure = try Value.choice(
            value, [("retry", .retry), ("requeue", .requeue), ("park", .park), ("drop", .drop)])
        },
        .value(
          "on-exit", "status=action", repeats: true, "Action after an exit status",
          """
          The actions are `ack`, `retry`, `requeue`, `park` and `drop`. The defaults are `0=ack`, `75,111=retry` \
          and `65,100=park`; they stay for statuses that are not named. Commas separate statuses; can be \
          repeated.
          """
        ) { (settings, value) throws(UsageError) in
          guard let action = ExitAction(argument: value) else {
            throw UsageError(
              "invalid value '\(Quoted.plain(value))'",
              use: "use STATUS=ack, retry, requeue, park or drop, with a STATUS from 0 to 255")
          }
          settings.work.onExit.append(action)
        },
      ])
  }

  private static var stopping: OptionGroup {
    OptionGroup(
      title: "Exit options",
      options: [
        .value("count", short: "c", "n", common: true, "Exit after this number of tasks") {
          (settings, value) throws(UsageError) in
          settings.work.bounds.count = try Value.integer(value, 1...Int.max)
        },
        .flag("drain", aliases: ["burst"], common: true, "Exit when no task waits and none runs") {
          $0.work.bounds.drains = true
        },
        .flag(
          "wait-for-retries", common: true, "With --drain: wait for own retries",
          """
          The worker exits when every task that it scheduled for retry has returned, too, or is 10 s late.
          """
        ) { $0.work.bounds.waitsForRetries = true },
        .flag(
          "fail-on-retry", common: true, "Exit with 1 also if a retry is left scheduled",
          """
          Without this option only parked and dropped tasks count. Needs --drain, --count, --idle-timeout or \
          --max-time.
          """
        ) { $0.work.failsOnRetry = true },
        .value(
          "idle-timeout", "duration", common: true, "Exit after this time without a task",
          "With --drain the worker waits for those of its own retries that are due by then."
        ) { (settings, value) throws(UsageError) in
          settings.work.bounds.idleTimeout = try Value.duration(value)
        },
        .value(
          "max-time", "duration", common: true, "Take no more tasks after this time",
          "The worker finishes running tasks and exits."
        ) { (settings, value) throws(UsageError) in
          settings.work.bounds.maxTime = try Value.duration(value)
        },
        .value(
          "grace", "duration", common: true, "Maximum time for running tasks after a signal",
          "The worker then stops and requeues them. The default is no limit."
        ) { (settings, value) throws(UsageError) in
          settings.work.grace = try Value.duration(value)
        },
        .value(
          "metrics", "file", "Write metrics for Prometheus to this file",
          """
          In text format, for node_exporter's textfile collector, which reads `*.prom`. The file is replaced \
          every 15 seconds and at the end. A second worker with the same file exits with 73.
          """
        ) { $0.work.metrics = Value.path($1) },
        .value(
          "worker-name", "name", "The worker's name in the metrics",
          "The default is the host's name and the metrics file's."
        ) { $0.work.workerName = $1 },
        .flag("no-reconnect", "Exit with 69 when the connection is lost") {
          $0.work.reconnects = false
        },
        .value(
          "retry-for", "duration", "Exit with 69 if the broker is unreachable for this long",
          """
          The default is no limit after the first connection, and 0 before it.
          """
        ) { (settings, value) throws(UsageError) in
          settings.work.retryFor = try Value.duration(value)
        },
      ])
  }
}
