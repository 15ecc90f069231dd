internal import AMQP
internal import WorkQueue

/// Which tasks `workq work` takes, how the command gets them, and when the worker exits.
struct WorkSettings: Equatable {
  var jobs = 1
  /// nil means the default, which depends on the jobs.
  var prefetch: UInt16?
  var acknowledges = true
  /// Whether faked work is requested, by `--fake` or `--dot`.
  var isFake = false
  var dot = Duration.seconds(1)
  var isShell = false
  var takesArgument = false
  /// Whether placeholders in the command's arguments are replaced by the body.
  var replacesPlaceholders = false
  var passesURL = false
  /// The format in which a resident command reads its tasks; nil means one run per task.
  var resident: TaskFormat?
  /// nil is 1.
  var window: Int?
  /// After how many tasks a resident command is replaced; nil means never.
  var maxTasks: Int?
  /// Maximum tasks per run; nil means one run per task.
  var batch: Int?
  /// nil is 1 s.
  var batchWait: Duration?
  /// nil is lines.
  var batchFormat: TaskFormat?
  /// nil means passthrough for one job, else grouped.
  var output: OutputMode?
  var log = LogFormat.text
  var timeout: Duration?
  var killAfter = Duration.seconds(10)
  var declares = true
  /// Maximum rate of starts; nil means no limit.
  var rate: Throttle.Rate?
  /// After how many failures in a row the worker pauses; nil means never.
  var pauseAfter: Int?
  /// The file for metrics; nil means none.
  var metrics: FilePath?
  /// The worker's name in the metrics; nil means the host's and the file's.
  var workerName: String?

  var maxAttempts = 5
  var retryDelay = Duration.seconds(10)
  var retryMaxDelay = Duration.seconds(3600)
  /// Whether the quorum queue itself delays retries.
  var retriesByBroker = false
  /// nil means the queue's name and ".failed".
  var failedQueue: String?
  var onFailure = RetryPolicy.Action.retry
  var onExit: [ExitAction] = []

  var bounds = Bounds()
  /// Whether a task that is left scheduled for retry makes the exit code 1.
  var failsOnRetry = false
  var grace: Duration?
  var reconnects = true
  var retryFor: Duration?

  /// Refuses options that contradict each other.
  static func check(_ settings: Settings) throws(UsageError) {
    let (work, command) = (settings.work, settings.operands)
    guard command.isEmpty || !work.isShell else {
      throw UsageError("--shell runs the task itself: it takes no command")
    }
    guard !work.isFake || command.isEmpty && !work.isShell else {
      throw UsageError(
        "--fake and --dot fake the work: they exclude \(work.isShell ? "--shell" : "a command")")
    }
    guard !work.takesArgument || !command.isEmpty else {
      throw UsageError("--argument needs a command, after '--'")
    }
    if work.replacesPlaceholders { try checkPlaceholders(command, isShell: work.isShell) }
    try checkResident(settings)
    try checkBatch(settings)
    guard work.acknowledges || work.bounds.count == nil else {
      throw UsageError("--no-ack and --count exclude each other: tasks beyond the count would be lost")
    }
    let requeues = work.onFailure == .requeue || work.onExit.contains { $0.action == .requeue }
    guard work.acknowledges || !requeues else {
      throw UsageError("--no-ack and 'requeue' exclude each other: the broker has forgotten the task")
    }
    if work.retriesByBroker { try work.checkRetriesByBroker(requeues) }
    if settings.output.isJSON, let output = work.output, output != .grouped {
      throw UsageError(
        "--json prints a command's output in its event: it does not go with --output \(output.rawValue)",
        use: "leave --output out, or use --log json")
    }
    guard !work.bounds.waitsForRetries || work.bounds.drains else {
      throw UsageError("--wait-for-retries says how a drain ends", use: "add --drain")
    }
    guard !work.failsOnRetry || work.bounds.isBounded else {
      throw UsageError(
        "--fail-on-retry needs a worker that exits", use: "add --drain, --count, --idle-timeout or --max-time"
      )
    }
    guard work.reconnects || work.retryFor == nil else {
      throw UsageError("--no-reconnect and --retry-for exclude each other")
    }
  }

  private func checkRetriesByBroker(_ requeues: Bool) throws(UsageError) {
    let most = RetryPolicy.mostAttemptsByBroker
    guard (1...most).contains(maxAttempts) else {
      throw UsageError(
        "--retry-by broker is limited by the queue's delivery limit", use: "use --max-attempts 1 to \(most)")
    }
    guard acknowledges else { throw UsageError("--retry-by broker and --no-ack exclude each other") }
    guard !requeues else {
      throw UsageError("--retry-by broker and 'requeue' exclude each other: the queue would delay both")
    }
    let usual = WorkSettings()
    guard retryDelay == usual.retryDelay, retryMaxDelay == usual.retryMaxDelay else {
      throw UsageError(
        "with --retry-by broker the queue decides on delays", use: "use workq declare --retry-delay")
    }
    guard !bounds.waitsForRetries, !failsOnRetry else {
      throw UsageError(
        "--retry-by broker excludes --wait-for-retries and --fail-on-retry: a worker does not know when the queue "
          + "delivers a retry")
    }
  }

  /// Refuses options that contradict `--resident`.
  private static func checkResident(_ settings: Settings) throws(UsageError) {
    let work = settings.work
    guard work.resident != nil else {
      guard work.window == nil, work.maxTasks == nil else {
        throw UsageError("\(work.window == nil ? "--max-tasks" : "--window") needs --resident")
      }
      return
    }
    for (option, isGiven) in [
      ("--shell", work.isShell), ("--argument", work.takesArgument), ("--replace", work.replacesPlaceholders),
    ] where isGiven {
      throw UsageError(
        "--resident and \(option) exclude each other: a resident command reads tasks from its stdin")
    }
    guard !settings.operands.isEmpty else { throw UsageError("--resident needs a command, after '--'") }
    guard work.output != .grouped else {
      throw UsageError(
        "--resident and --output grouped exclude each other: the output belongs to no task",
        use: "use --output passthrough or tagged")
    }
  }

  /// Refuses options that contradict `--batch`.
  private static func checkBatch(_ settings: Settings) throws(UsageError) {
    let work = settings.work
    guard let size = work.batch else {
      guard work.batchWait == nil, work.batchFormat == nil else {
        throw UsageError("\(work.batchWait == nil ? "--batch-format" : "--batch-wait") needs --batch")
      }
      return
    }
    for (option, isGiven) in [
      ("--resident", work.resident != nil), ("--shell", work.isShell),
      ("--replace", work.replacesPlaceholders),
    ] where isGiven {
      throw UsageError("--batch and \(option) exclude each other")
    }
    guard !settings.operands.isEmpty else { throw UsageError("--batch needs a command, after '--'") }
    if let prefetch = work.prefetch, prefetch > 0, prefetch < size {
      throw UsageError("with --prefetch \(prefetch) no batch has \(size) tasks", use: "leave --prefetch out")
    }
  }

  /// Refuses to put a body into a shell's command line, where it would be code.
  private static func checkPlaceholders(_ command: [String], isShell: Bool) throws(UsageError) {
    guard !isShell else { throw UsageError("--replace and --shell exclude each other") }
    guard !command.isEmpty else { throw UsageError("--replace needs a command, after '--'") }
    for (index, word) in command.enumerated() {
      let name = word.split(separator: "/").last.map(String.init) ?? word
      guard shells.contains(name) else { continue }
      let options = command[(index + 1)...].prefix { $0.hasPrefix("-") || $0.hasPrefix("+") }
      let hasCode = options.contains { $0 == "--command" || !$0.hasPrefix("--") && $0.contains("c") }
      guard !hasCode else {
        throw UsageError(
          "--replace would make the task's body code of \(name) -c",
          use: "use --argument: the body is $1, or $0 of sh -c")
      }
    }
  }

  private static let shells = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "csh", "tcsh"]

  /// Refuses to fake the work of other queues than the tutorial's, unless requested.
  func checkFaking(of queue: String, _ command: [String]) throws(UsageError) {
    guard command.isEmpty, !isShell, !isFake, queue != ConnectionSettings.defaultQueue else { return }
    throw UsageError(
      "without a command, the tasks of '\(Quoted.plain(queue))' would be acknowledged and lost",
      use: "give a command after '--', or --fake to fake the work")
  }

  /// `ownVariables` are those that contain the broker's URL; `isJSON` captures the command's output for its event.
  func apply(
    to options: inout Worker.Options, command arguments: [[UInt8]], ownVariables: Set<String>, isJSON: Bool
  ) throws(Failure) {
    options.jobs = jobs
    options.prefetch = prefetch ?? UInt16(clamping: jobs * (batch ?? window ?? 1))
    if let rate {
      // No task is held for more than a minute.
      let most = UInt16(clamping: rate.prefetch)
      options.prefetch = options.prefetch == 0 ? most : min(options.prefetch, most)
    }
    (options.rate, options.pauseAfter) = (rate, pauseAfter)
    options.acknowledges = acknowledges
    options.dot = dot
    options.declares = declares
    options.bounds = bounds
    options.grace = grace
    options.reconnectsFor = reconnects ? retryFor : .zero
    try applyPolicy(to: &options)
    guard isShell || !arguments.isEmpty else { return }
    var command = Command.Options(isShell ? .shell : .arguments(arguments), environment: Environment.all)
    if !passesURL {
      command.environment.removeAll { entry in
        ownVariables.contains(String(decoding: entry.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self))
      }
    }
    command.takesArgument = takesArgument
    command.replacesPlaceholders = replacesPlaceholders
    command.output = isJSON ? .captured : output ?? (jobs > 1 ? .grouped : .passthrough)
    if let batch {
      command.mode = .batch(batchFormat ?? .lines, size: batch, wait: batchWait ?? .seconds(1))
    }
    if let resident {
      command.mode = .resident(resident, window: window ?? 1, maxTasks: maxTasks)
      // Nothing is kept until a task's end, because it is unknown which task the output belongs to.
      command.output = isJSON || jobs > 1 && output == nil ? .tagged : output ?? .passthrough
    }
    if let directory = Environment["TMPDIR"] { command.temporaryDirectory = directory }
    command.timeout = timeout
    command.killAfter = killAfter
    options.command = command
  }

  private func applyPolicy(to options: inout Worker.Options) throws(Failure) {
    options.policy.statusesTellOfCommand = !isShell
    options.policy.maxAttempts = maxAttempts
    options.policy.delay = retryDelay
    options.policy.maxDelay = max(retryMaxDelay, retryDelay)
    options.policy.retriesByBroker = retriesByBroker
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

/// Exit statuses and what they mean: "75=retry", "65,100=park".
struct ExitAction: Equatable {
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
