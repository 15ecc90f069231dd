extension Failed {
  static var subcommand: Subcommand {
    Subcommand(
      name: "failed", summary: "Show why tasks were parked", operands: .words("queue", atMost: 1),
      examples: """
        $ workq failed                   tasks of task_queue, counted by reason
        $ workq failed mail --list       a line for each task
        $ workq failed mail --list --json | jq -r .message_id
        """,
      description: """
        Workers park a task that has failed too often: they move it to the failed queue, with headers that say \
        why. The command counts these tasks by reason. For each reason it prints the first and the last time of a \
        failure and, as a sample, the task that failed last: its body's beginning and the last line of stderr. It \
        shows tasks that the broker has dead-lettered to the queue, too.
        workq takes the tasks from the failed queue for as long as it looks at them, some seconds for 100,000, and \
        returns them to their places. If workq is killed, the broker returns them. Up to RabbitMQ 4.2 a quorum \
        queue counts each look as a delivery; a failed queue that workers created has no limit for those. A queue \
        that does not exist has no parked tasks. Without a queue the command shows the tasks of --queue or \
        WORKQ_QUEUE; --url or WORKQ_URL names the broker.
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
          The line has the task's id, the time since it failed, its attempts, the reason, and the body's first 40 \
          characters. A narrow terminal gets fewer columns. With --json there is an object for each task, as \
          workq-peek(1) describes it.
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
      operands: .words("queue", atMost: 1),
      examples: """
        $ workq retry                         all parked tasks of task_queue
        $ workq retry mail -c 1               one of them first, to see
        $ workq retry mail --match x-workq-exit-status=75
        $ workq retry mail --id 0b5c4a1e-7d55-4d1f-9e0e-0c7b1a8f5b3a --dry-run
        """,
      description: """
        The command moves tasks from the failed queue to the work queue, as `workq move queue.failed queue` does. A \
        task leaves the failed queue when the broker has confirmed that the work queue has it. Whatever happens, \
        no task is lost, and at worst those in flight are in both. Attempts are counted from 1 again, and headers \
        about failures go, unless --keep-attempts is given. Without options the command moves all tasks that wait \
        at the start, the oldest first. Without a queue it retries the tasks of --queue or WORKQ_QUEUE; --url or \
        WORKQ_URL names the broker.
        At the first Ctrl-C the command finishes the tasks in flight, and leaves the rest where it is. At the \
        second it stops at once.
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
