import Foundation
import TestSupport
import Testing

/// A broker that is killed, or raises a memory or disk alarm, while workers run.
///
/// `OwnBrokerPublishTests` does the same with `publish`.
@Suite(.disposable) final class BrokerFaultTests {
  private let broker: Broker
  private let queue = freshQueue("dying")

  init() throws {
    broker = try DisposableBroker.get()
  }

  @Test func `two workers complete every task when the broker is killed repeatedly`() throws {
    let count = TestEnvironment.count("KILL_TASKS", 600)
    let kills = max(2, count / 300)
    let scratch = try TemporaryFile("")
    func done() throws -> [Int] {
      try String(contentsOfFile: scratch.path, encoding: .utf8).split(separator: "\n").compactMap { Int($0) }
    }
    let script = """
      read n; [ $((n % 10)) = 0 ] && [ $WORKQ_ATTEMPT = 1 ] && exit 75; echo $n >> '\(scratch.path)'
      """
    let options = ["-j", "2", "--prefetch", "10", "--retry-delay", "500ms", "--heartbeat", "2s"]
    let workers = try (0..<2).map { _ in try worker(queue, options, script: script).at(broker).start() }
    let retry = retryQueue(of: queue, after: .milliseconds(500))
    // The first task fails and is retried, so the retry queue has a leader before the broker is killed.
    try publish(["0"], to: queue, at: broker)
    try waitUntil("the first retry is done") { try done() == [0] }
    try broker.writeDefinitions()
    try publish((1..<count).map { "\($0)" }, to: queue, at: broker)
    for kill in 1...kills {
      let mark = count * kill / (kills + 1)
      try waitUntil("\(mark) tasks are done") { try done().count >= mark }
      try broker.kill()
      for worker in workers { try worker.waitForError("connection lost") }
      try broker.restart()
    }
    try waitUntil("all tasks are done (\(workers[0].error))", within: 180) { Set(try done()).count == count }
    try waitUntil("the queues are empty") {
      try waiting(in: queue, at: broker) == 0
        && waiting(in: retry, at: broker) == 0
    }
    for worker in workers { worker.signal(SIGTERM) }
    for worker in workers { try expect(worker.end().status, equals: 0, "\(worker.error)") }
    #expect(Set(try done()) == Set(0..<count))
    print("\(try done().count - count) of \(count) tasks were done twice, with \(kills) kills of the broker")
  }

  /// Successful tasks are acknowledged during the alarm; failed tasks wait, because the broker accepts no copies.
  @Test(arguments: [Broker.Alarm.memory, .disk])
  func `an alarm delays the parking of failed tasks but not other tasks`(alarm: Broker.Alarm) throws {
    let script = "read n; [ $n = bad ] && exit 65; exit 0"
    let worker = try worker(queue, ["-j", "4", "--prefetch", "10"], script: script).at(broker).start()
    try worker.waitForError("waiting for tasks")
    // The first copy opens the publishing connection, which the broker can then block.
    try publish(["bad"], to: queue, at: broker)
    try waitUntil("the first task is parked") {
      try Program.workq("declare", "--check", "\(queue).failed").at(broker).run().status == 0
        && waiting(in: "\(queue).failed", at: broker) == 1
    }
    worker.signal(SIGSTOP)
    try publish(["good", "bad", "good", "good"], to: queue, at: broker)
    try broker.raise(alarm)
    defer { try? broker.clear(alarm) }
    worker.signal(SIGCONT)
    try worker.waitForError("the broker blocks publishers (\(alarm) alarm): failed tasks wait")
    try waitUntil("the good tasks are done") { worker.error.ranges(of: " done in ").count == 3 }
    try expectWaiting(in: "\(queue).failed", at: broker, equals: 1)
    try broker.clear(alarm)
    try worker.waitForError("the broker accepts failed tasks again")
    try waitUntil("the bad task is parked") { try waiting(in: "\(queue).failed", at: broker) == 2 }
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains(": 3 done, 2 parked"), "\(result.error)")
    try expectWaiting(in: queue, at: broker, equals: 0)
  }

  @Test func `publish waits for a disk alarm to clear, or exits with 75 after --confirm-timeout`() throws {
    try #require(try Program.workq("declare", queue).at(broker).run().status == 0)
    try broker.raise(.disk)
    defer { try? broker.clear(.disk) }
    let impatient = try Program.workq("publish", "--confirm-timeout", "1s", "-q", queue, "no").at(broker)
      .run()
    #expect(impatient.status == 75, "\(impatient.error)")
    #expect(impatient.error.contains("low on disk"), "\(impatient.error)")
    #expect(impatient.error.split(separator: "\n").count == 2, "one that it waits, one that it was in vain")
    let patient = try Program.workq("publish", "--confirm-timeout", "60s", "-q", queue, "yes").at(broker)
      .start()
    try patient.waitForError("the broker blocks publishers (disk alarm)")
    try broker.clear(.disk)
    try expect(patient.end().status, equals: 0)
    #expect(Set(try drain(queue, at: broker).map(\.text)).subtracting(["no"]) == ["yes"])
  }
}
