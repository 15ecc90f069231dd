internal import AMQP
internal import ArgumentParser
internal import WorkQueue

/// Which tasks are taken, and how the command gets and does them.
struct TaskOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Work on so many tasks side by side.", valueName: "n"))
  var jobs = 1

  @Option(
    name: [.customLong("prefetch"), .customLong("prefetch-count")],
    help: ArgumentHelp(
      "Hold so many unfinished tasks at most; 0 is no limit. (default: as many as jobs)", valueName: "n"))
  var prefetch: UInt16?

  @Flag(
    name: [.customShort("A"), .customLong("no-ack"), .customLong("auto-ack")],
    help: "Have the broker forget a task when it hands it out: a killed worker loses it.")
  var doesNotAcknowledge = false

  @Option(help: ArgumentHelp("Fake the work so long for each dot.", valueName: "duration"))
  var dot = TimeSpan(.seconds(1))

  @Flag(help: "Run each task with 'sh -c'. Whoever can publish to the queue can do anything then.")
  var shell = false

  @Flag(help: "Append the task to the command as its last argument; it must be UTF-8 without NUL.")
  var argument = false

  @Flag(
    name: .customLong("pass-url"),
    help: "Leave the broker's URL in the command's environment, for one that publishes itself.")
  var passesURL = false

  @Option(
    name: .customLong("output"),
    help: ArgumentHelp(
      "Keep the commands' output apart: let it through, tag each line with the task's number, or show it "
        + "when a task ends. (default: passthrough for one job, grouped for more)", valueName: "mode"))
  var outputMode: OutputMode?

  @Option(
    help: ArgumentHelp(
      "Write the worker's own lines on stderr as text, or as JSON, one object per line.",
      valueName: "format"))
  var log = LogFormat.text

  @Option(help: ArgumentHelp("End a task that takes longer: TERM to its processes.", valueName: "duration"))
  var timeout: TimeSpan?

  @Option(help: ArgumentHelp("Then KILL them if they take longer to end.", valueName: "duration"))
  var killAfter = TimeSpan(.seconds(10))

  @Flag(
    name: .customLong("no-declare"), help: "Fail with 78 when the queue is missing; do not make it.")
  var doesNotDeclare = false

  func validate() throws {
    guard jobs > 0 && jobs <= 10_000 else { throw ValidationError("--jobs is from 1 to 10000.") }
    if let timeout, timeout.duration == .zero { throw ValidationError("--timeout is more than 0.") }
  }

  /// `ownVariables` are those that tell a broker's URL.
  func apply(
    to options: inout Worker.Options, command words: [[UInt8]], ownVariables: Set<String>
  ) throws {
    options.jobs = jobs
    options.prefetch = prefetch ?? UInt16(clamping: jobs)
    options.acknowledges = !doesNotAcknowledge
    options.dot = dot.duration
    options.declares = !doesNotDeclare
    options.policy.statusesTellOfCommand = !shell
    guard shell || !words.isEmpty else { return }
    var command = Command.Options(shell ? .shell : .words(words), environment: Environment.all)
    if !passesURL {
      command.environment.removeAll { entry in
        ownVariables.contains(String(decoding: entry.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self))
      }
    }
    command.takesArgument = argument
    command.output = outputMode ?? (jobs > 1 ? .grouped : .passthrough)
    if let directory = Environment["TMPDIR"] { command.temporaryDirectory = directory }
    command.timeout = timeout?.duration
    command.killAfter = killAfter.duration
    options.command = command
  }
}

/// What becomes of tasks that fail.
struct FailureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Park a task after so many attempts; 0 is never.", valueName: "n"))
  var maxAttempts = 5

  @Option(
    help: ArgumentHelp(
      "Let the first retry wait so long, each further one twice as long.", valueName: "duration"))
  var retryDelay = TimeSpan(.seconds(10))

  @Option(help: ArgumentHelp("But none longer than this.", valueName: "duration"))
  var retryMaxDelay = TimeSpan(.seconds(3600))

  @Option(
    help: ArgumentHelp(
      "Where tasks go that are not tried again. (default: the queue's name and '.failed')",
      valueName: "name"))
  var failedQueue: String?

  @Option(help: ArgumentHelp("What a failure means: retry, requeue, park or drop.", valueName: "action"))
  var onFailure = RetryPolicy.Action.retry

  @Option(
    help: ArgumentHelp(
      "What an exit status means: ack, retry, requeue, park or drop. Repeat it for more.",
      discussion: "(default: 0=ack 75,111=retry 65,100=park)", valueName: "status=action"))
  var onExit: [ExitAction] = []

  func validate() throws {
    guard maxAttempts >= 0 else { throw ValidationError("--max-attempts is not negative.") }
    guard onFailure != .acknowledge else {
      throw ValidationError("--on-failure is retry, requeue, park or drop.")
    }
    guard retryMaxDelay.duration <= WaitingQueue.longestDelay,
      retryDelay.duration <= WaitingQueue.longestDelay
    else { throw ValidationError("A retry waits 49 days at most.") }
  }

  func apply(to options: inout Worker.Options) throws {
    options.policy.maxAttempts = maxAttempts
    options.policy.delay = retryDelay.duration
    options.policy.maxDelay = max(retryMaxDelay.duration, retryDelay.duration)
    options.policy.onFailure = onFailure
    for entry in onExit {
      for status in entry.statuses { options.policy.onExit[status] = entry.action }
    }
    if let failedQueue { options.failedQueue = failedQueue }
    guard (1...255).contains(options.failedQueue.utf8.count), options.failedQueue != options.queue else {
      throw Failure(.usage, "--failed-queue needs another name, of 255 bytes at most")
    }
  }
}

/// When the worker leaves, and when it gives up.
struct StoppingOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: ArgumentHelp("Leave after so many tasks.", valueName: "n"))
  var count: Int?

  @Flag(
    name: [.customLong("drain"), .customLong("burst")],
    help: "Leave as soon as nothing waits and nothing runs.")
  var drains = false

  @Option(
    help: ArgumentHelp(
      "Leave after so long without a task; with --drain: wait for own retries that are due by then.",
      valueName: "duration"))
  var idleTimeout: TimeSpan?

  @Option(help: ArgumentHelp("Take no more tasks after this.", valueName: "duration"))
  var maxTime: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "After the first signal, give running tasks so long, then end them and give them back.",
      valueName: "duration"))
  var grace: TimeSpan?

  @Flag(help: "Leave with 69 when the connection is lost.")
  var noReconnect = false

  @Option(
    help: ArgumentHelp(
      "Leave with 69 when the broker has been away for so long. (default: never, but at the start)",
      valueName: "duration"))
  var retryFor: TimeSpan?

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count is 1 or more.") }
    guard !noReconnect || retryFor == nil else {
      throw ValidationError("--no-reconnect and --retry-for exclude each other.")
    }
  }

  func apply(to options: inout Worker.Options) {
    options.bounds.count = count
    options.bounds.drains = drains
    options.bounds.idleTimeout = idleTimeout?.duration
    options.bounds.maxTime = maxTime?.duration
    options.grace = grace?.duration
    options.reconnectsFor = noReconnect ? .zero : retryFor?.duration
  }
}

/// Exit statuses and what they mean: "75=retry", "65,100=park".
struct ExitAction: ExpressibleByArgument, Equatable {
  let statuses: [Int32]
  let action: RetryPolicy.Action

  init?(argument: String) {
    let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let action = RetryPolicy.Action(rawValue: String(parts[1])) else { return nil }
    let statuses = parts[0].split(separator: ",", omittingEmptySubsequences: false).map { UInt8($0) }
    guard !statuses.contains(nil) else { return nil }
    self.statuses = statuses.compactMap { $0.map { Int32($0) } }
    self.action = action
  }
}

extension OutputMode: ExpressibleByArgument {}
extension RetryPolicy.Action: ExpressibleByArgument {}
