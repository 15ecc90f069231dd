extension Failed {
  static var subcommand: Subcommand {
    Subcommand(
      name: "failed", summary: "Show why tasks were parked", operands: .list("queue", atMost: 1),
      examples: """
        $ workq failed                   tasks of task_queue, counted by reason
        $ workq failed mail --list       a line for each task
        $ workq failed mail --list --json | jq -r .message_id
        """,
      description: """
        Workers park a task after its last attempt: they move it to the failed queue, with headers that say why. The \
        command counts these tasks by reason, and those that the broker has dead-lettered to the queue. For each \
        reason it prints the times of the first and the last failure, and a sample, the task that failed last: the \
        start of its body, and the last line of stderr.
        workq receives all tasks of the failed queue, some seconds for 100,000, and requeues them in their order. If \
        it is killed, the broker requeues them. Up to RabbitMQ 4.2 a quorum queue counts this as a delivery; a \
        failed queue that a worker created has no delivery limit. If there is no failed queue, no task is parked. \
        Without a queue it shows the tasks of --queue or WORKQ_QUEUE; --url or WORKQ_URL names the broker.
        """,
      groups: { [choice, .connection, .output] }, run: { try Failed(settings: $0).run() })
  }

  private static var choice: OptionGroup {
    OptionGroup(
      title: "Failed options",
      options: [
        .flag(
          "list", common: true, "Print a line for each task",
          """
          The line has the task's id, the time since it failed, its attempts, the reason, and the body's first \
          40 characters. A narrow terminal gets fewer columns.
          """
        ) { $0.failed.isList = true },
        .failedQueue,
      ])
  }
}

extension Retry {
  static var subcommand: Subcommand {
    Subcommand(
      name: "retry", summary: "Bring parked tasks back to their work queue",
      operands: .list("queue", atMost: 1),
      examples: """
        $ workq retry                         all parked tasks of task_queue
        $ workq retry mail -c 1               only the oldest
        $ workq retry mail --match x-workq-exit-status=75
        $ workq retry mail --id 0b5c4a1e-7d55-4d1f-9e0e-0c7b1a8f5b3a --dry-run
        """,
      description: """
        The command moves tasks from the failed queue to the work queue, like `workq move queue.failed queue`. \
        Attempts are counted from 1 again, and headers about failures are removed, unless --keep-attempts is given. \
        Without options it moves all tasks that wait at the start, the oldest first. Without a queue it retries the \
        tasks of --queue or WORKQ_QUEUE; --url or WORKQ_URL names the broker.
        On the first Ctrl-C the command finishes the tasks in flight and requeues the others. On the second it stops \
        at once.
        """,
      groups: { [choice, .connection, .output] }, run: { try Retry(settings: $0).run() })
  }

  private static var choice: OptionGroup {
    OptionGroup(
      title: "Retry options", options: Move.choices(verb: "retry", participle: "retried") + [.failedQueue])
  }
}

extension Option {
  fileprivate static var failedQueue: Option {
    .value(
      "failed-queue", "name", common: true, "Queue with the parked tasks",
      "The default is the queue's name followed by `.failed`."
    ) { $0.failed.queue = $1 }
  }
}
