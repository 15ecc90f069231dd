import Foundation
import TestSupport
import Testing

/// The broker's delivery acknowledgement timeout; RabbitMQ 4.3 and later cancel the consumer when it expires.
///
/// A worker stops its commands before that. In these tests only a worker suspended by SIGSTOP exceeds it.
@Suite(.waiting) struct TimeLimitTests {
  /// Twice (3 s + 1 s) is less than 10 s, the shortest timeout that a worker requests.
  private static let options = ["--timeout", "3s", "--kill-after", "1s"]

  private func limitedQueue(_ name: String = #function) throws -> String {
    let queue = freshQueue(name)
    try Peer.declare(queue, #"{"x-queue-type":"quorum","x-consumer-timeout":10000}"#)
    return queue
  }

  /// Whether consumers can request a timeout, as in RabbitMQ 4.3 and later.
  private static func limitsByConsumer() throws -> Bool { try Broker.shared.version >= RabbitMQVersion(4, 3) }

  @Test
  func `consumes again when the broker cancels its consumer, and completes unexpired tasks`() throws {
    guard try Self.limitsByConsumer() else { return }
    let queue = try limitedQueue()
    let options = Self.options + ["-v", "-j", "4"]
    let script = "read t; [ $t$WORKQ_REDELIVERED = old0 ] && exec sleep 60; sleep 2; echo $t"
    let worker = try worker(queue, options, script: script).start()
    try worker.waitForError("waiting for tasks")
    try publish(["old"], to: queue)
    try worker.waitForStart(of: 1)
    worker.signal(SIGSTOP)
    let stopped = Date.now
    try waitUntil("six seconds have passed") { Date.now.timeIntervalSince(stopped) > 6 }
    // The broker still delivers this task. Its timeout has not expired when that of the other task has.
    try publish(["young"], to: queue)
    try waitUntil("the old task is requeued") { try waiting(in: queue) == 1 }
    worker.signal(SIGCONT)
    try worker.waitForError("1 task was not acknowledged within the time limit of 10 s")
    try worker.waitForError("consuming from '\(queue)' again")
    try waitUntil("both are done") { worker.error.ranges(of: " done in ").count == 2 }
    try waitUntil("the queue is empty") { try waiting(in: queue) == 0 }
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.outputLines.sorted() == ["old", "young"])
    #expect(result.error.contains("the broker's time limit has passed: the broker redelivers it"))
    #expect(result.error.contains(": 2 done, 1 to be redelivered;"))
  }

  @Test func `workers keep consuming when a task exceeds the broker's timeout on each of them`() throws {
    guard try Self.limitsByConsumer() else { return }
    let queue = try limitedQueue()
    func start() throws -> RunningProgram {
      let program = try worker(queue, Self.options + ["-v", "-j", "4"], script: "read t; sleep 1; echo $t")
        .start()
      try program.waitForError("waiting for tasks")
      return program
    }
    let first = try start()
    try publish(["long"], to: queue)
    try first.waitForStart(of: 1)
    first.signal(SIGSTOP)
    let second = try start()
    try second.waitForStart(of: 1)
    second.signal(SIGSTOP)
    first.signal(SIGCONT)
    try first.waitForError("1 task was not acknowledged within the time limit of 10 s")
    try first.waitForError("consuming from '\(queue)' again")
    // In 4 of 45 runs RabbitMQ 4.3.6 did not notice the second worker's timeout (in one not within 400 s).
    _ = try? waitUntil("the task is redelivered", within: 30) { first.hasStarted(2) }
    let isNoticed = first.hasStarted(2)
    second.signal(SIGCONT)
    if isNoticed {
      try first.waitForError("[2] long: done")
      try second.waitForError("1 task was not acknowledged within the time limit of 10 s")
      try second.waitForError("consuming from '\(queue)' again")
    }
    let more = ["one", "two", "three", "four", "five", "six"]
    try publish(more, to: queue)
    // How often the long task is completed depends on timing.
    try waitUntil("all are done (\(first.error)\(second.error))") {
      let lines = (first.output + second.output).split(separator: "\n").map(String.init)
      return Set(lines) == Set(more + ["long"])
    }
    for worker in [first, second] { worker.signal(SIGTERM) }
    for worker in [first, second] { try expect(worker.end().status, equals: 0) }
  }

  @Test func `warns when --timeout exceeds consumer_timeout, unless consumers can request it`() throws {
    let long = try worker(freshQueue(), ["--drain", "--timeout", "1h"], script: "true").run()
    #expect(long.status == 0)
    #expect(long.error.contains("consumer_timeout, usually 30 min") == !(try Self.limitsByConsumer()))
    let short = try worker(freshQueue(), ["--drain", "--timeout", "5m"], script: "true").run()
    #expect(short.error == "")
  }
}
