internal import AMQP
internal import WorkQueue

/// Which tasks `workq work` takes, how the command does them, and when the worker exits.
struct WorkSettings: Equatable {
  var jobs = 1
  /// nil is as many as jobs.
  var prefetch: UInt16?
  var acknowledges = true
  var dot = Duration.seconds(1)
  var isShell = false
  var takesArgument = false
  var passesURL = false
  /// nil is passthrough for one job, else grouped.
  var output: OutputMode?
  var log = LogFormat.text
  var timeout: Duration?
  var killAfter = Duration.seconds(10)
  var declares = true

  var maxAttempts = 5
  var retryDelay = Duration.seconds(10)
  var retryMaxDelay = Duration.seconds(3600)
  /// nil is the queue's name and ".failed".
  var failedQueue: String?
  var onFailure = RetryPolicy.Action.retry
  var onExit: [ExitAction] = []

  var bounds = Bounds()
  var grace: Duration?
  var reconnects = true
  var retryFor: Duration?

  /// Refuses options that contradict each other.
  static func check(_ settings: Settings) throws(UsageError) {
    let (work, command) = (settings.work, settings.words)
    guard command.isEmpty || !work.isShell else {
      throw UsageError("--shell runs the task itself: it takes no command")
    }
    guard !work.takesArgument || !command.isEmpty else {
      throw UsageError("--argument needs a command, after '--'")
    }
    guard work.acknowledges || work.bounds.count == nil else {
      throw UsageError("--no-ack and --count exclude each other: tasks beyond the count would be lost")
    }
    let requeues = work.onFailure == .requeue || work.onExit.contains { $0.action == .requeue }
    guard work.acknowledges || !requeues else {
      throw UsageError("--no-ack and 'requeue' exclude each other: the broker has forgotten the task")
    }
    guard work.reconnects || work.retryFor == nil else {
      throw UsageError("--no-reconnect and --retry-for exclude each other")
    }
  }

  /// `ownVariables` are those that hold a broker's URL.
  func apply(
    to options: inout Worker.Options, command words: [[UInt8]], ownVariables: Set<String>
  ) throws(Failure) {
    options.jobs = jobs
    options.prefetch = prefetch ?? UInt16(clamping: jobs)
    options.acknowledges = acknowledges
    options.dot = dot
    options.declares = declares
    options.bounds = bounds
    options.grace = grace
    options.reconnectsFor = reconnects ? retryFor : .zero
    try applyPolicy(to: &options)
    guard isShell || !words.isEmpty else { return }
    var command = Command.Options(isShell ? .shell : .words(words), environment: Environment.all)
    if !passesURL {
      command.environment.removeAll { entry in
        ownVariables.contains(String(decoding: entry.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self))
      }
    }
    command.takesArgument = takesArgument
    command.output = output ?? (jobs > 1 ? .grouped : .passthrough)
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
