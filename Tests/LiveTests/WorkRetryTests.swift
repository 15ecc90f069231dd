import Foundation
import TestSupport
import Testing

/// Retrying, parking and dropping of failed tasks.
@Suite(.waiting) struct WorkRetryTests {
  @Test func `retries a failed task with doubling delays, then parks it`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, "{}")
    let properties = """
      {"message_id":"id", "priority":2, "delivery_mode":2, "user_id":"guest", "expiration":"600000",
       "headers":{"mine":"kept"}}
      """
    try SeenMessage.put("the task", properties, to: queue)
    let options = ["--retry-delay", "300ms", "--max-attempts", "3", "--output", "grouped", "--drain"]
    let result = try worker(
      queue, options + ["--idle-timeout", "10s"], script: "echo \"attempt $WORKQ_ATTEMPT\" >&2; exit 3"
    ).run()
    #expect(result.status == 1)
    #expect(result.error.contains("[1] the task: attempt 1 of 3 failed: exit status 3, after "))
    #expect(result.error.contains("retry in 0.3 s"))
    #expect(result.error.contains("retry in 0.6 s"))
    #expect(result.error.contains("parked in '\(queue).failed'"))
    let end = "1 task failed: exit status 3 (1); 1 parked in '\(queue).failed'"
    #expect(result.error.hasSuffix("workq: \(end)\n"), "\(result.error)")
    let parked = try #require(try SeenMessage.take(from: "\(queue).failed"))
    #expect(parked.body == "the task")
    #expect(parked.properties["message_id"] as? String == "id")
    #expect(parked.properties["priority"] as? Int == 2)
    #expect(parked.properties["delivery_mode"] as? Int == 2)
    #expect(parked.properties["user_id"] == nil)
    #expect(parked.properties["expiration"] == nil)
    let headers = parked.headers
    #expect(headers["mine"] as? String == "kept")
    #expect(headers["x-death"] == nil)
    #expect(headers["x-workq-attempts"] as? Int == 3)
    #expect(headers["x-workq-exit-status"] as? Int == 3)
    #expect(headers["x-workq-reason"] as? String == "exit status 3")
    #expect(headers["x-workq-stderr"] as? String == "attempt 3\n")
    #expect(headers["x-workq-queue"] as? String == queue)
    #expect(headers["x-workq-host"] is String)
    let (first, last) = (headers["x-workq-first-failure"] as? Int, headers["x-workq-last-failure"] as? Int)
    #expect(try #require(first) <= #require(last))
    let retries = [300, 600].map { retryQueue(of: queue, after: .milliseconds($0)) }
    for empty in [queue] + retries { try expectWaiting(in: empty, equals: 0) }
  }

  @Test func `a later worker runs the retry that an earlier worker has scheduled`() throws {
    let queue = freshQueue()
    try publish(["again"], to: queue)
    let first = try worker(queue, ["--count", "1", "--retry-delay", "500ms"], script: "exit 1").run()
    #expect(first.status == 0)
    #expect(first.error.contains("1 scheduled for retry"))
    let second = try worker(queue, ["--count", "1"], script: "echo $WORKQ_ATTEMPT").run()
    #expect(second.status == 0)
    #expect(second.output == "2\n")
  }

  @Test(
    arguments: [
      ("exit 75", "retry"), ("exit 111", "retry"), ("exit 65", "park"), ("exit 100", "park"),
      ("exit 1", "drop"), ("kill -9 $$", "drop"), ("exit 42", "ack"), ("exit 43", "requeue"),
      ("exit 0", "ack"),
    ])
  func `maps exit statuses and signals to actions`(script: String, action: String) throws {
    let queue = freshQueue()
    try publish(["task"], to: queue)
    let options = ["--count", "1", "--on-failure", "drop", "--on-exit", "42=ack", "--on-exit", "43=requeue"]
    let result = try worker(queue, options + ["--retry-delay", "1h"], script: script).run()
    #expect(result.status == (["park", "drop"].contains(action) ? 1 : 0))
    try expectWaiting(in: queue, equals: (action == "requeue" ? 1 : 0))
    if action == "retry" { try expect(waiting(in: retryQueue(of: queue, after: .seconds(3600))), equals: 1) }
    if action == "park" { try expectWaiting(in: "\(queue).failed", equals: 1) }
  }

  @Test func `records the signal that killed the command in the queue given by --failed-queue`() throws {
    let queue = freshQueue()
    try publish(["task"], to: queue)
    let options = ["--count", "1", "--on-failure", "park", "--failed-queue", "\(queue).bad"]
    try expect(worker(queue, options, script: "kill -SEGV $$").run().status, equals: 1)
    let parked = try #require(try SeenMessage.take(from: "\(queue).bad"))
    #expect(parked.headers["x-workq-signal"] as? Int == 11)
    #expect(parked.headers["x-workq-exit-status"] == nil)
  }

  @Test func `keeps the task and backs off when the failed queue is full`() throws {
    let queue = freshQueue()
    try Peer.declare("\(queue).failed", #"{"x-max-length":0,"x-overflow":"reject-publish"}"#)
    try publish(["task"], to: queue)
    let worker = try worker(queue, ["--on-failure", "park"], script: "exit 1").start()
    try worker.waitForError("cannot retry or park 1 task")
    try worker.waitForError("trying again in")
    #expect(worker.error.ranges(of: "cannot retry").count < 4)
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error.contains("1 requeued"))
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `publishes a retry again when its connection is lost before the confirm`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    let retry = retryQueue(of: queue, after: .seconds(3600))
    let options = ["-j", "2", "--retry-delay", "1h"]
    let worker = try worker(queue, options, script: "exit 1")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForError("waiting for tasks")
    try publish(["first"], to: queue)
    // The second connection publishes retries. It is open when the first retry is published.
    try worker.waitForState("1 scheduled for retry")
    proxy.mute(2)
    try publish(["second"], to: queue)
    try waitUntil("the second retry is published, unconfirmed") {
      try waiting(in: retry) == 2
    }
    proxy.cut(only: 2)
    try waitUntil("the retry is published again") { try waiting(in: retry) == 3 }
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error.contains("2 scheduled for retry"), "\(result.error)")
    try expect(consumers(of: queue), equals: 0)
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `publishes a retry again when the broker does not confirm it in time`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    let retry = retryQueue(of: queue, after: .seconds(3600))
    // Without heartbeats, a silent connection does not count as lost.
    let options = ["-j", "2", "--retry-delay", "1h", "--heartbeat", "0"]
    let worker = try worker(queue, options, script: "exit 1")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForError("waiting for tasks")
    try publish(["first"], to: queue)
    try worker.waitForState("1 scheduled for retry")
    proxy.mute(2)
    try publish(["second"], to: queue)
    try worker.waitForError("the broker has not confirmed the task in time")
    try waitUntil("the retry is published again") { try waiting(in: retry) == 3 }
    worker.signal(SIGTERM)
    let result = try worker.end()
    #expect(result.status == 0)
    #expect(result.error.contains("2 scheduled for retry"), "\(result.error)")
  }

  @Test func `creates the failed queue again when it is deleted while the worker runs`() throws {
    let queue = freshQueue()
    try publish(["one"], to: queue)
    let worker = try worker(queue, ["--on-failure", "park"], script: "exit 1").start()
    try waitUntil("one is parked") { (try? waiting(in: "\(queue).failed")) == 1 }
    try Peer.delete("\(queue).failed")
    try publish(["two"], to: queue)
    try waitUntil("two is parked") { (try? waiting(in: "\(queue).failed")) == 1 }
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `--fake parks a task that has reached the maximum number of attempts`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, "{}")
    try SeenMessage.put("old", #"{"headers":{"x-workq-attempts":5}}"#, to: queue)
    let result = try Program.workq("work", "--fake", "-q", queue, "--drain").run()
    #expect(result.status == 1)
    #expect(!result.output.contains("Received"))
    try expectWaiting(in: "\(queue).failed", equals: 1)
  }
}
