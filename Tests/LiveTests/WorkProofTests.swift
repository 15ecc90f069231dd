import Foundation
import TestSupport
import Testing

/// No task is lost under faults: 2000 tasks pass through a queue that holds 1000 and rejects more.
///
/// Workers are killed and stopped, `peek` reads the queue, connections are cut and frozen, and the broker is
/// restarted. The times and the kinds of faults come from a fixed seed.
///
/// When RabbitMQ starts, it drops the oldest tasks of a classic queue that exceeds its length limit, even
/// with the overflow policy reject-publish. The queue exceeds its limit by the tasks that workers had.
/// RabbitMQ dead-letters the dropped tasks, and the test moves them back.
@Suite(.disposable) struct WorkProofTests {
  private static let count = 2000

  /// The files that the commands write to, removed in `deinit`.
  private final class Records {
    let directory = FileManager.default.temporaryDirectory.appending(path: "workq-proof-\(UUID().uuidString)")

    init() throws {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: directory) }

    var path: String { directory.appending(path: "done").path }

    /// The completed tasks, one per line; short appends of several processes do not mix.
    var done: [String] {
      let text = try? String(contentsOfFile: path, encoding: .utf8)
      return text?.split(separator: "\n").map(String.init) ?? []
    }
  }

  /// Injects faults while the workers run, until about 80 % of the tasks are done.
  ///
  /// - Returns: the broker, with the remaining tasks, and the number of faults of each kind.
  private func injectFaults(
    _ queue: String, _ type: String, _ tasks: [String], seed: UInt64, work: Program, records: Records
  ) throws -> (broker: Broker, faults: [String: Int]) {
    var random = SeededRandom(seed: seed)
    let broker = try DisposableBroker.get()
    let proxy = try FaultProxy(to: broker)
    defer { proxy.stop() }
    let far = work.at(broker.with(url: proxy.url(of: broker)))
    let dropped = "\(queue).dropped"
    let limit =
      ["--max-length", "\(tasks.count / 2)", "--overflow", "reject-publish"]
      + (type == "classic" ? ["--dead-letter", dropped] : [])
    try expect(
      Program.workq(["declare", "--type", type, queue] + limit).at(broker).run().status, equals: 0)
    try broker.writeDefinitions()
    let publisher = try Program.workq("publish", "-l", "--retry-for", "10m", "-q", queue).at(broker)
      .start(input: Array(tasks.joined(separator: "\n").utf8))
    func startWorker() throws -> RunningProgram {
      let worker = try far.start()
      try worker.waitForError("waiting for tasks")
      return worker
    }
    var workers = try (0..<3).map { _ in try startWorker() }
    var faults: [String: Int] = [:]
    let faultCount = 24
    for number in 1...faultCount {
      let mark = number * tasks.count * 9 / 10 / faultCount
      let errors = { workers.map { $0.error.suffix(500) } }
      try waitUntil("\(mark) are done (\(errors()))") { records.done.count >= mark * 9 / 10 }
      let victim = Int.random(in: workers.indices, using: &random)
      let fault = number == faultCount / 2 ? "restart" : Self.faults.randomElement(using: &random) ?? ""
      faults[fault, default: 0] += 1
      switch fault {
      case "kill": workers[victim].signal(SIGKILL)
      case "stop": workers[victim].signal(SIGTERM)
      case "cut": proxy.cut()
      case "look":
        try expect(Program.workq("peek", "-c", "50", queue).at(broker).run().status, equals: 0)
      case "freeze":
        proxy.set(.frozen)
        usleep(UInt32.random(in: 50_000...300_000, using: &random))
        proxy.set(.normal)
      default:
        try broker.stop()
        try broker.restart()
      }
      if ["kill", "stop"].contains(fault) {
        let status = try workers[victim].end().status
        #expect(status == (fault == "kill" ? 137 : 0))
        workers[victim] = try startWorker()
      }
    }
    let published = try publisher.end()
    #expect(published.status == 0, "\(published.error)")
    for worker in workers { worker.signal(SIGTERM) }
    for worker in workers {
      let result = try worker.end()
      #expect(result.status == 0, "\(result.error)")
    }
    if type == "classic" {
      let moved = try Program.workq("move", dropped, queue).at(broker).run()
      #expect(moved.status == 0, "\(moved.error)")
    }
    return (broker, faults)
  }

  private static let faults = ["kill", "kill", "stop", "stop", "cut", "cut", "freeze", "look"]

  private func program(_ queue: String, _ options: [String] = [], script: String) -> Program {
    worker(
      queue, ["-j", "4", "--prefetch", "8", "--heartbeat", "2s", "--retry-for", "10m"] + options,
      script: script)
  }

  /// The tasks that are not done, and the number of tasks in the queue.
  private func left(_ queue: String, at broker: Broker, _ ids: Set<String>, _ records: Records) -> String {
    let waiting = (try? waiting(in: queue, at: broker)).map { "\($0)" } ?? "an unknown number of"
    return "\(ids.subtracting(records.done).sorted()), of which \(waiting) wait"
  }

  @Test(arguments: ["classic", "quorum"])
  func `every task is done at least once despite faults`(type: String) throws {
    let (queue, records) = (freshQueue(), try Records())
    let ids = Set((1...Self.count).map { "id-\($0)" })
    let script = "read id; echo $id >> '\(records.path)'"
    let (broker, faults) = try injectFaults(
      queue, type, ids.sorted(), seed: 4, work: program(queue, script: script), records: records)
    // Tasks that the broker has not yet requeued from dead connections appear in no count.
    let last = try program(queue, script: script).at(broker).start()
    try last.waitForError("waiting for tasks")
    // One worker may have half of the tasks left, and retries that a full queue rejects back off each time.
    try waitUntil("every task is done, \(left(queue, at: broker, ids, records)) too", within: 600) {
      try Set(records.done) == ids && waiting(in: queue, at: broker) == 0
    }
    last.signal(SIGTERM)
    try expect(last.end().status, equals: 0)
    let done = records.done
    try expectWaiting(in: queue, at: broker, equals: 0)
    print("\(type): \(done.count - ids.count) of \(ids.count) tasks were done twice, with \(faults)")
  }

  @Test(arguments: ["classic", "quorum"])
  func `tasks that always fail are parked, all others are done, and none is both`(type: String) throws {
    let (queue, records) = (freshQueue(), try Records())
    let ids = (1...Self.count).map { "id-\($0)" }
    // Every tenth task always fails; the other even ones fail at their first attempt.
    let script = """
      read id; n=${id#id-}
      [ $((n % 10)) = 0 ] && exit 3
      [ $((n % 2)) = 0 ] && [ $WORKQ_ATTEMPT = 1 ] && exit 75
      echo $id >> '\(records.path)'
      """
    let bad = Set((1...Self.count).filter { $0 % 10 == 0 }.map { "id-\($0)" })
    let options = ["--max-attempts", "2", "--retry-delay", "1s"]
    let (broker, faults) = try injectFaults(
      queue, type, ids, seed: 5, work: program(queue, options, script: script), records: records)
    // Tasks that the broker is dead-lettering appear in no count.
    let good = Set(ids).subtracting(bad)
    let last = try program(queue, options, script: script).at(broker).start()
    try last.waitForError("waiting for tasks")
    let failed = "\(queue).failed"
    let look = Program.workq("peek", "--json", "-c", "\(Self.count)", failed).at(broker)
    try waitUntil("every task is done or parked (\(last.error.suffix(2000)))", within: 600) {
      guard Set(records.done) == good, try waiting(in: failed, at: broker) >= bad.count else { return false }
      let bodies = try look.run().output.matches(of: /"body":"([^"]*)"/).map { String($0.1) }
      // A task that was published twice is done twice.
      let retries = try waiting(in: retryQueue(of: queue, after: .seconds(1)), at: broker)
      return try Set(bodies) == bad && retries == 0 && waiting(in: queue, at: broker) == 0
    }
    last.signal(SIGTERM)
    try expect(last.end().status, equals: 0)
    let parked = try takeAll(from: failed, at: broker)
    let done = records.done
    #expect(Set(parked) == bad)
    #expect(Set(done) == good)
    try expectWaiting(in: queue, at: broker, equals: 0)
    try expect(waiting(in: retryQueue(of: queue, after: .seconds(1)), at: broker), equals: 0)
    print(
      "\(type): \(done.count - Set(done).count) tasks were done twice and \(parked.count - bad.count) parked twice, "
        + "with \(faults)")
  }

  /// Drains a queue and returns the bodies of its tasks.
  private func takeAll(from queue: String, at broker: Broker) throws -> [String] {
    let result = try worker(queue, ["--drain", "--quiet", "--max-attempts", "0"], script: "cat; echo")
      .at(broker).run()
    return result.outputLines
  }
}
