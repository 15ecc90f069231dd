internal import AMQP
internal import WorkQueue

extension Publish {
  static var subcommand: Subcommand {
    Subcommand(
      name: "publish", summary: "Send tasks to a queue", operands: .list("word", atMost: nil),
      examples: """
        $ workq publish resize cat.jpg            the words are the task
        $ workq publish -q mail < letter.eml      a file or a pipe is one task, as it is
        $ find . -print0 | workq publish --null   many tasks
        """,
      description: """
        Exit code 0 means that the broker has confirmed all tasks and routed each to a queue. The words, joined by \
        single spaces, are the body of one task. Without words, stdin is the body if it is a pipe or a file; \
        otherwise the body is `Hello World!`, on task_queue only. A missing queue is created; an existing one is \
        used as it is.
        --url or WORKQ_URL names the broker, --queue or WORKQ_QUEUE the queue.
        """,
      groups: { [input, properties, delivery, spool, .connection, .output] },
      check: { (settings) throws(UsageError) in try check(settings) },
      run: { try Publish($0).run() })
  }

  private static var input: OptionGroup {
    OptionGroup(
      title: "Input options",
      introduction: """
        --lines, --null, --delimiter and --jsonl exclude each other. With one of them each record of the input \
        is a task, also an empty one. The last record need not have a delimiter.
        """,
      options: [
        .flag("lines", short: "l", common: true, "Read one task from each line") {
          $0.publish.input.split(at: [UInt8(ascii: "\n")], "--lines")
        },
        .flag("null", short: "0", common: true, "Read tasks that end with a NUL (`find -print0`)") {
          $0.publish.input.split(at: [0], "--null")
        },
        .value(
          "delimiter", short: "D", "text", "Read tasks that end with <text>",
          #"The text can contain `\n`, `\t`, `\r`, `\0`, `\\` and `\xHH`."#
        ) { (settings, value) throws(UsageError) in
          guard let bytes = InputSettings.unescaped(RawArguments.bytes(of: value)) else {
            throw UsageError(
              "invalid escape in '\(Quoted.plain(value))'", use: #"use \n, \t, \r, \0, \\ or \xHH"#)
          }
          guard !bytes.isEmpty else { throw UsageError("the delimiter is empty") }
          settings.publish.input.split(at: bytes, "--delimiter")
        },
        .flag(
          "jsonl", common: true, "Read one JSON object from each line",
          """
          See JSON INPUT in workq-publish(1). A malformed line is reported with its number, and the others are \
          published.
          """
        ) {
          $0.publish.input.split(at: [UInt8(ascii: "\n")], "--jsonl")
          $0.publish.input.isJSON = true
        },
        .value(
          "file", short: "f", "file", complete: .file, repeats: true, common: true,
          "Read <file> instead of stdin; `-` is stdin",
          """
          Can be repeated. Without one of the options above, each file is one task. If a file cannot be read, \
          nothing is sent.
          """
        ) { $0.publish.input.files.append(Value.path($1)) },
        .value(
          "failed-to", "file", complete: .file, "Write records that were not published to <file>",
          """
          The records keep their delimiters. The file is emptied first, and removed at the end if it is empty. \
          Needs one of the options for records.
          """
        ) { $0.publish.input.failedTo = Value.path($1) },
      ])
  }

  private static var delivery: OptionGroup {
    OptionGroup(
      title: "Delivery options",
      options: [
        .value(
          "exchange", short: "e", "name", "Publish to this exchange instead of to the queue",
          "A task that the exchange routes to no queue is refused (65). Excludes --queue."
        ) { (settings, value) throws(UsageError) in
          settings.publish.delivery.exchange = try Value.shortText(value)
        },
        .value(
          "routing-key", short: "r", "key", "Routing key, with --exchange", "The default is the empty key."
        ) {
          (settings, value) throws(UsageError) in
          settings.publish.delivery.routingKey = try Value.shortText(value)
        },
        .flag("no-declare", "Fail with 78 if the queue is missing; do not create it") {
          $0.publish.delivery.declares = false
        },
        .flag(
          "no-confirm", "Do not wait for publisher confirms (tasks may be lost)",
          """
          Exit code 0 then means that the broker has read the tasks. The command fails if it loses a connection \
          on which it sent tasks. Excludes --spool and --failed-to.
          """
        ) { $0.publish.delivery.confirms = false },
        .value(
          "confirm-timeout", "duration", default: "30s", "Maximum time to wait for a confirm",
          """
          The exit code is then 75, also while the broker blocks publishers or has stopped reading.
          """
        ) { (settings, value) throws(UsageError) in
          settings.publish.delivery.confirmTimeout = try Value.duration(value)
        },
        .value(
          "retry-for", "duration", common: true, default: "0", "Keep trying for this long",
          """
          This covers an unreachable broker, a temporary refusal, and a queue that is full or has lost its \
          leader. Each confirmed task starts the time again. After a lost connection, unconfirmed tasks are sent \
          again in their order, and may arrive twice. A task that the queue refused goes behind the tasks that \
          were sent meanwhile.
          """
        ) { (settings, value) throws(UsageError) in
          settings.publish.delivery.retryFor = try Value.duration(value)
        },
        .value(
          "unless-waiting", "n", "Publish nothing if <n> or more tasks are waiting",
          """
          The exit code is then 0. Tasks with the same --delay count, and with --spool those in the spool, which \
          are sent first; tasks that workers hold or that are scheduled for retry do not. Excludes --exchange.
          """
        ) { (settings, value) throws(UsageError) in
          guard value != "0" else { throw UsageError("0 would never publish", use: "use 1 or more") }
          settings.publish.delivery.unlessWaiting = try Value.integer(value, 1...UInt32.max)
        },
        .flag(
          "print-id", common: true, "Print the id of each task that was published",
          "One per line, also for a task that went to the spool."
        ) { $0.publish.delivery.printsID = true },
      ])
  }

  private static var spool: OptionGroup {
    OptionGroup(
      title: "Spool options",
      introduction: "See THE SPOOL in workq-publish(1).",
      options: [
        .optional(
          "spool", "dir", complete: .directory, common: true,
          default: "$XDG_STATE_HOME/workq/spool/HOST_PORT_VHOST",
          "Store tasks on disk while no broker is reachable",
          """
          Each publish with the same directory sends the stored tasks first.
          """
        ) { (settings, value) throws(UsageError) in
          settings.publish.spool.isUsed = true
          if let value { settings.publish.spool.directory = try nonempty(value) }
        },
        .value("spool-directory", "dir", complete: .directory, "The same as --spool=<dir>") {
          (settings, value) throws(UsageError) in
          settings.publish.spool.isUsed = true
          settings.publish.spool.directory = try nonempty(value)
        },
        .flag(
          "flush-spool", "Only send the tasks in the spool",
          "Options about tasks or about one queue are refused."
        ) {
          $0.publish.spool.isUsed = true
          $0.publish.spool.onlyFlushes = true
        },
      ])
  }

  private static func nonempty(_ directory: String) throws(UsageError) -> FilePath {
    guard !directory.isEmpty else { throw UsageError("the directory's name is empty") }
    return Value.path(directory)
  }
}
