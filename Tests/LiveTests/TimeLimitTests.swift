import Foundation
import TestSupport
import Testing

/// The broker's time limit for tasks that are not acknowledged, which cancels consumers from RabbitMQ 4.3 on.
///
/// A worker ends its commands in time, so that only one that was stopped meets the limit.
@Suite(.waiting) struct TimeLimitTests {
  /// (3 s + 1 s) twice is less than the shortest limit that a worker asks for, 10 s.
  private static let options = ["--timeout", "3s", "--kill-after", "1s"]

  private func limitedQueue(_ name: String = #function) throws -> String {
    let queue = freshQueue(name)
    try Peer.declare(queue, #"{"x-queue-type":"quorum","x-consumer-timeout":10000}"#)
    return queue
  }

  /// Consumers ask for a time limit from 4.3 on.
  private static func limitsByConsumer() throws -> Bool { try Broker.shared.version >= RabbitMQVersion(4, 3) }

  @Test
  func `goes on with a fresh consumer when the broker cancels one, and keeps what is not void`() throws {
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
    try waitUntil("half of the time is over") { Date.now.timeIntervalSince(stopped) > 6 }
    // The broker sends it all the same: this one is not void when the other one's time is over.
    try publish(["young"], to: queue)
    try waitUntil("the old task is back") { try waiting(in: queue) == 1 }
    worker.signal(SIGCONT)
    try worker.waitForError("1 task was not acknowledged within the time limit of 10 s")
    try worker.waitForError("consuming from '\(queue)' again")
    try waitUntil("both are done") { worker.error.ranges(of: " done in ").count == 2 }
    try waitUntil("nothing is left") { try waiting(in: queue) == 0 }
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.outputLines.sorted() == ["old", "young"])
    #expect(result.error.contains("the broker's time limit has passed: the broker redelivers it"))
    #expect(result.error.contains(": 2 done, 1 to be redelivered;"))
  }

  @Test func `no worker of a fleet ends with a task that takes too long`() throws {
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
    // In some runs (4 of 45) RabbitMQ 4.3.6 does not notice that the second one is late, too (in one not within 400 s).
    _ = try? waitUntil("the task is back", within: 30) { first.hasStarted(2) }
    let isNoticed = first.hasStarted(2)
    second.signal(SIGCONT)
    if isNoticed {
      try first.waitForError("[2] long: done")
      try second.waitForError("1 task was not acknowledged within the time limit of 10 s")
      try second.waitForError("consuming from '\(queue)' again")
    }
    let more = ["one", "two", "three", "four", "five", "six"]
    try publish(more, to: queue)
    // How often the late one was done as well is a matter of moments.
    try waitUntil("all are done (\(first.error)\(second.error))") {
      let lines = (first.output + second.output).split(separator: "\n").map(String.init)
      return Set(lines) == Set(more + ["long"])
    }
    for worker in [first, second] { worker.signal(SIGTERM) }
    for worker in [first, second] { try expect(worker.end().status, equals: 0) }
  }

  @Test func `warns of a time limit that the broker does not give`() throws {
    let long = try worker(freshQueue(), ["--drain", "--timeout", "1h"], script: "true").run()
    #expect(long.status == 0)
    #expect(long.error.contains("consumer_timeout, usually 30 min") == !(try Self.limitsByConsumer()))
    let short = try worker(freshQueue(), ["--drain", "--timeout", "5m"], script: "true").run()
    #expect(short.error == "")
  }
}
