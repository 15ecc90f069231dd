import Foundation
import TestSupport
import Testing

/// No task is lost by resident and batch commands when commands, workers and connections fail at random.
///
/// WORKQ_FUZZ multiplies the number of tasks; 10 results in 20,000.
@Suite(.slow) struct WorkModesProofTests {
  private static let count = Fuzz.count(2000)
  private static let faultCount = Fuzz.count(200)

  /// The files that the commands write to, removed in `deinit`.
  private final class Records {
    let directory = FileManager.default.temporaryDirectory.appending(path: "workq-modes-\(UUID().uuidString)")

    init() throws {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: directory) }

    var done: String { directory.appending(path: "done").path }
    var processes: String { directory.appending(path: "processes").path }

    func lines(_ path: String) -> [Substring] {
      (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? []
    }

    /// The size of a file in bytes, which is cheap enough to poll.
    func size(_ path: String) -> Int {
      var status = stat()
      return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
  }

  /// A task's body: with its newline, eight bytes.
  private static func task(_ number: Int) -> String { "\(1_000_000 + number)" }

  private func command(_ mode: String, _ records: Records) -> (options: [String], script: String) {
    let begin = "echo $$ >> '\(records.processes)'; "
    switch mode {
    case "resident":
      return (
        ["--resident=lines", "--window", "5", "--output", "passthrough"],
        begin + "while read -r x; do echo $x >> '\(records.done)'; echo 0 >&3; done"
      )
    default:
      return (
        ["--batch", "20", "--batch-wait", "20ms", "--output", "passthrough"],
        begin + "cat >> '\(records.done)'"
      )
    }
  }

  /// Whether a pid still belongs to one of the commands and is not reused by another process.
  private func isHelper(_ pid: Substring, _ records: Records) -> Bool {
    let line = try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)
    return line?.contains(records.done) == true
  }

  @Test(arguments: ["resident", "batch"])
  func `no task is lost when commands, connections and workers are killed at random`(mode: String) throws {
    let (queue, records) = (freshQueue("modes"), try Records())
    let ids = (1...Self.count).map(Self.task)
    try publish(ids, to: queue)
    var random = SeededRandom(seed: mode == "batch" ? 42 : 41)
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let (options, script) = command(mode, records)
    let common = [
      "-j", "2", "--quiet", "--retry-delay", "100ms", "--max-attempts", "0", "--heartbeat", "5s",
      "--retry-for", "10m",
    ]
    let work = worker(queue, options + common, script: script)
    let far = work.at(Broker.shared.with(url: proxy.url(of: .shared)))
    var workers = try [work.start(), far.start()]
    var struck: [String: Int] = [:]
    for number in 1...Self.faultCount {
      let mark = number * Self.count * 8 * 8 / 10 / Self.faultCount
      try waitUntil("\(mark) bytes are done (\(workers.map { $0.error.suffix(300) }))") {
        records.size(records.done) >= mark
      }
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<7:
        struck["helpers", default: 0] += 1
        let candidates = records.lines(records.processes).suffix(4).filter { isHelper($0, records) }
        if let pid = candidates.randomElement(using: &random).flatMap({ Int32($0) }) { kill(pid, SIGKILL) }
      case 7:
        struck["connections", default: 0] += 1
        proxy.cut()
      default:
        struck["workers", default: 0] += 1
        let victim = Int.random(in: 0...1, using: &random)
        workers[victim].signal(SIGKILL)
        _ = try workers[victim].end()
        workers[victim] = try (victim == 0 ? work : far).start()
      }
    }
    let last = try work.start()
    try waitUntil("every task is done", within: 300) {
      records.size(records.done) >= Self.count * 8 && Set(records.lines(records.done)).count >= Self.count
    }
    // A signal that comes before a program handles it ends the program.
    try waitUntil("all workers consume", within: 300) { try consumers(of: queue, at: .shared) == 3 }
    for worker in workers + [last] { worker.signal(SIGTERM) }
    for worker in workers + [last] {
      let result = try worker.end()
      #expect(result.status == 0, "\(result.error)")
    }
    let done = records.lines(records.done)
    #expect(Set(done.map(String.init)) == Set(ids))
    try waitUntil("the queue is empty") { try waiting(in: queue) == 0 }
    print("\(mode): \(done.count - ids.count) of \(ids.count) tasks were done twice, with \(struck)")
  }

  /// A process that is killed before it reads a task from its pipe has not attempted the task.
  @Test func `a task that a killed process has not read from its pipe does not count as attempted`() throws {
    let (queue, records) = (freshQueue("modes"), try Records())
    try publish((1...200).map(Self.task), to: queue)
    // The process kills itself after each task, before it reads the next one.
    let script = "read -r x; echo $x >> '\(records.done)'; echo 0 >&3; kill -KILL $$"
    let options = ["--resident=lines", "--window", "4", "--drain", "--max-attempts", "1"]
    let result = try worker(queue, options, script: script).run()
    #expect(result.status == 0, "\(result.error.suffix(500))")
    #expect(Set(records.lines(records.done)).count == 200)
  }
}
