internal import AMQP
internal import Glibc
internal import WorkQueue

/// The tasks of a publish, from the input to their results.
///
/// 1. Records become tasks by the template and their JSON; a malformed one fails, and the others are published.
/// 2. It counts results, and prints for each task what the options request: its id, a line, JSON.
/// 3. Failed records are written to the file of `--failed-to`, ready to be published again.
/// 4. After a signal to stop nothing more is read or published.
struct PublishInput: ~Copyable, TaskSource {
  struct Options {
    var inputs: [RecordReader.Input]
    var delimiter: [UInt8] = []
    var isJSON = false
    /// Whether there may be more than one task.
    var isBatch = false
    /// Whether tasks that the broker cannot accept now go to the spool.
    var isSpooled = false
  }

  private let options: Options
  private let template: TaskTemplate
  private let announce: PublishReport
  private var reader: RecordReader
  private var ids = MessageID()
  private var number = 0
  /// The original records by number, until their results are known; only for `failures`.
  private var raw: [Int: [UInt8]] = [:]
  private var failures: FailedRecords?
  /// To be spooled.
  private var later: [PublishTask] = []
  /// Whether the input has ended.
  private(set) var isAtEnd = false
  private var hasReadAll = false
  private(set) var tally = Tally()
  var progress: Progress?

  init(
    _ options: Options, _ template: TaskTemplate, _ announce: PublishReport,
    failures: consuming FailedRecords?, progress: Progress?
  ) {
    self.options = options
    self.template = template
    self.announce = announce
    self.failures = failures
    self.progress = progress
    reader = RecordReader(options.inputs, delimiter: options.delimiter)
  }

  mutating func next() -> SourceItem { Signals.stop == nil ? nextRead() : .end }

  /// The next task; after a signal to stop, only from what was read already.
  private mutating func nextRead() -> SourceItem {
    while true {
      let isStopped = Signals.stop != nil
      switch isStopped ? reader.nextBuffered() : reader.next() {
      case .end:
        isAtEnd = true
        hasReadAll = hasReadAll || !isStopped
        return .end
      case .wait(let descriptor): return .wait(descriptor: descriptor)
      case .unreadable(let input, let reason): tally.unreadable(input, reason)
      case .record(let bytes):
        number += 1
        if let task = task(bytes) { return .task(task) }
      }
    }
  }

  private mutating func task(_ bytes: [UInt8]) -> PublishTask? {
    if failures != nil { raw[number] = bytes }
    guard options.isJSON else { return PublishTask(number: number, template.envelope(bytes, &ids)) }
    do throws(JSONRecord.Invalid) {
      return PublishTask(number: number, try JSONRecord.envelope(bytes, template, &ids))
    } catch {
      announce.invalid(number, error.reason)
      failed(number, PublishFailure(.refused, error.reason))
      return nil
    }
  }

  mutating func settled(_ task: PublishTask, _ result: PublishResult) {
    switch result {
    case .published:
      tally.published += 1
      raw[task.number] = nil
      if announce.isUsed(isBatch: options.isBatch) { progress?.clear() }
      announce.published(task, isBatch: options.isBatch)
    case .failed(let failure) where options.isSpooled && failure.isTransient: later.append(task)
    case .failed(let failure):
      announce.failed(task, failure, isBatch: options.isBatch)
      failed(task.number, failure)
    }
    progress?.update(published: tally.published, bytesRead: reader.bytesRead)
  }

  private mutating func failed(_ number: Int, _ failure: PublishFailure) {
    tally.failed(number, failure)
    guard let record = raw.removeValue(forKey: number) else { return }
    failures?.write(record)
  }

  /// The run ended before the input: with `--failed-to`, the rest of the input has failed, too.
  mutating func ended(by error: AMQPError) {
    tally.end = error
    defer { if !hasReadAll { tally.firstUnread = number + 1 } }
    guard failures != nil else { return }
    let failure = PublishFailure(.connection(error.kind), error.detail)
    while true {
      switch nextRead() {
      case .task(let task): settled(task, .failed(failure))
      case .wait(let descriptor): RecordReader.wait(for: descriptor)
      case .end: return
      }
    }
  }

  /// The tasks for the spool: those that could not be published, and those that arrive until the deadline.
  mutating func rest(atMost count: Int, until deadline: Deadline) -> [PublishTask] {
    defer { later = [] }
    while later.count < count {
      switch nextRead() {
      case .task(let task): later.append(task)
      case .wait where !later.isEmpty || deadline.hasPassed: return later
      case .wait(let descriptor): RecordReader.wait(for: descriptor, until: deadline)
      case .end: return later
      }
    }
    return later
  }

  /// These tasks are in the spool, and count as accepted.
  mutating func kept(_ tasks: [PublishTask]) {
    for task in tasks {
      tally.kept += 1
      raw[task.number] = nil
      announce.kept(task, isBatch: options.isBatch)
    }
  }

  /// These tasks could be neither published nor spooled.
  mutating func notKept(_ tasks: [PublishTask], _ reason: String) {
    let failure = PublishFailure(.connection(.lost), reason)
    for task in tasks {
      announce.failed(task, failure, isBatch: options.isBatch)
      failed(task.number, failure)
    }
  }

  /// Completes the file of failed records.
  mutating func finish() throws(Failure) {
    progress?.clear()
    try failures.take()?.close()
  }
}
