internal import AMQP
internal import Glibc
internal import WorkQueue

/// Counters and gauges of a worker in a file for Prometheus (text format 0.0.4, read by the textfile collector of its
/// node exporter).
///
/// The file is replaced as a whole, so a reader never sees a part of it. A lock file beside it prevents two workers
/// from writing the same file.
final class Metrics {
  /// How often the file is written.
  static let interval = Duration.seconds(15)

  private let file: FilePath
  private let labels: String
  private let lock: Int32
  private var next = Deadline.now
  private var reconnects = 0
  private var hasFailed = false

  /// Starts to write metrics, for this worker alone.
  ///
  /// - Throws: exit status 73, when the file cannot be written, or another worker writes it.
  init(_ file: FilePath, queue: String, worker: String) throws(Failure) {
    self.file = file
    labels = "{queue=\"\(Self.escaped(queue))\",worker=\"\(Self.escaped(worker))\"}"
    let lockFile = file + ".lock"
    lock = unsafe open(lockFile.cString, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard lock >= 0 else { throw Self.failure(lockFile, Self.reason(errno)) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      throw Self.failure(file, "another worker writes it (use a file for each worker)")
    }
    try write(nil)
  }

  deinit {
    close(lock)
  }

  func report(_ event: WorkerEvent) {
    switch event {
    case .reconnected: reconnects += 1
    case .progress(let state):
      guard next.hasPassed else { return }
      next = .after(Self.interval)
      update(state)
    case .stopped(let state): update(state)
    default: break
    }
  }

  /// Writes the file; a failure that lasts, such as a full disk, is reported once.
  private func update(_ state: WorkerState) {
    do throws(Failure) {
      try write(state)
      hasFailed = false
    } catch {
      if !hasFailed { Console().notice(error.message) }
      hasFailed = true
    }
  }

  private func write(_ state: WorkerState?) throws(Failure) {
    let draft = file + ".new"
    let descriptor = unsafe open(draft.cString, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(draft, Self.reason(errno)) }
    let code = StandardStreams.write(Array(text(state).utf8), to: descriptor)
    close(descriptor)
    guard code == 0 else { throw Self.failure(draft, Self.reason(code)) }
    guard unsafe rename(draft.cString, file.cString) == 0 else {
      throw Self.failure(file, Self.reason(errno))
    }
  }

  private static func reason(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }

  private static func failure(_ file: FilePath, _ reason: String) -> Failure {
    Failure(.cannotCreate, "cannot write metrics to '\(Quoted.plain("\(file)"))': \(reason)")
  }

  // MARK: Format

  /// The file's text for this state; nil before the worker has started.
  func text(_ state: WorkerState?) -> String {
    let (counts, attempts) = (state?.counts ?? TaskCounts(), state?.attempts ?? AttemptCounts())
    var lines: [String] = []
    func add(_ name: String, _ type: String, _ help: String, _ samples: [(suffix: String, value: String)]) {
      lines += ["# HELP workq_\(name) \(help)", "# TYPE workq_\(name) \(type)"]
      lines += samples.map { "workq_\(name)\($0.suffix) \($0.value)" }
    }
    let outcomes = [
      ("done", counts.done), ("retried", counts.retried), ("requeued", counts.requeued),
      ("parked", counts.parked),
      ("dropped", counts.dropped), ("released", counts.released), ("stale", counts.stale),
    ]
    add(
      "tasks_total", "counter", "Tasks by outcome.",
      outcomes.map { (with("outcome", $0.0), "\($0.1)") })
    add("attempts_total", "counter", "Attempts started.", [(labels, "\(attempts.started)")])
    add(
      "redelivered_total", "counter", "Attempts of tasks that were delivered before.",
      [(labels, "\(attempts.redelivered)")])
    add("reconnects_total", "counter", "Connections made again.", [(labels, "\(reconnects)")])
    add("run_seconds", "histogram", "Run times of tasks.", histogram(attempts))
    add("running_tasks", "gauge", "Tasks that are running.", [(labels, "\(state?.running ?? 0)")])
    add(
      "prefetched_tasks", "gauge", "Tasks that were received and not started.",
      [(labels, "\(state?.prefetched ?? 0)")])
    add(
      "connected", "gauge", "Whether the worker is connected to a broker.",
      [(labels, state?.address == nil ? "0" : "1")])
    return lines.joined(separator: "\n") + "\n"
  }

  private func histogram(_ attempts: AttemptCounts) -> [(suffix: String, value: String)] {
    var samples: [(String, String)] = []
    var sum = 0
    for (index, count) in attempts.buckets.enumerated() {
      sum += count
      let isLast = index == AttemptCounts.bounds.count
      let bound = isLast ? "+Inf" : "\(AttemptCounts.bounds[index] / .seconds(1))"
      samples.append(("_bucket" + with("le", bound), "\(sum)"))
    }
    return samples + [
      ("_sum" + labels, "\(attempts.totalTime / .seconds(1))"), ("_count" + labels, "\(sum)"),
    ]
  }

  /// The labels with one more.
  private func with(_ name: String, _ value: String) -> String {
    "\(labels.dropLast()),\(name)=\"\(value)\"}"
  }

  /// Escapes a label value for the text format.
  static func escaped(_ value: String) -> String {
    value.map { character in
      switch character {
      case "\\": "\\\\"
      case "\"": "\\\""
      case "\n": "\\n"
      default: String(character)
      }
    }.joined()
  }
}
