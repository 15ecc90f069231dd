import TestSupport
import Testing

@Suite(.waiting) struct PurgeTests {
  private func queue(_ tasks: Int, _ options: String..., name: String = freshQueue()) throws -> String {
    try expect(Program.workq(["declare", name] + options).run().status, equals: 0)
    let lines = (0..<tasks).map { "task \($0)\n" }.joined()
    guard tasks > 0 else { return name }
    let publish = Program.workq("publish", "-q", name, "--lines")
    try expect(publish.run(input: Array(lines.utf8)).status, equals: 0)
    return name
  }

  @Test func `purge --delete asks first and names the tasks that are deleted with the queue`() throws {
    let queue = try queue(1)
    let purge = try Program.workq("purge", "--delete", queue).inTerminal().start()
    try purge.waitForOutput(
      "Delete '\(queue)' at 127.0.0.1:\(Broker.shared.port)/ with the waiting task and those that workers hold?"
    )
    try purge.type("y\n")
    try expect(purge.end().status, equals: 0)
    try expect(Program.workq("declare", "--check", queue).run().status, equals: 78)
  }

  @Test func `purge empties several queues, but none when one of them is missing`() throws {
    let (first, second) = (try queue(2), try queue(1))
    let missing = freshQueue()
    let refused = try Program.workq("purge", "--force", first, missing).run()
    #expect(refused.status == 78)
    #expect(refused.error.contains("'\(missing)': there is no such queue"))
    try expectWaiting(in: first, equals: 2)
    let result = try Program.workq("purge", "--force", first, second).run()
    #expect(result.status == 0)
    #expect(result.outputLines == ["\(first): 2 removed", "\(second): 1 removed"])
    let json = try Program.workq("purge", "--force", "--json", first).run()
    #expect(json.output == #"{"deleted":false,"queue":"\#(first)","removed":0}"# + "\n")
  }

  @Test func `purge keeps unacknowledged tasks and reports that it does not remove them`() throws {
    let queue = try queue(0)
    let worker = try Program.workq("work", "-q", queue, "--dot", "60s").start()
    try expect(Program.workq("publish", "-q", queue, "held.").run().status, equals: 0)
    try worker.waitForOutput("Received 'held.'")
    try expect(Program.workq("publish", "-q", queue, "waits").run().status, equals: 0)
    let purge = try Program.workq("purge", "--force", queue).run()
    #expect(purge.output == "\(queue): 1 removed\n")
    #expect(purge.error == "workq: '\(queue)': tasks that its consumer holds are not purged\n")
    let inUse = try Program.workq("purge", "--force", "--delete", "--if-unused", queue).run()
    #expect(inUse.status == 75)
    #expect(inUse.error.contains("in use"))
    worker.signal(9)
    _ = try worker.end()
    try waitUntil("the unacknowledged task is requeued") { try waiting(in: queue) == 1 }
    try expect(Program.workq("purge", "--force", "--delete", "--if-unused", queue).run().status, equals: 0)
  }

  @Test func `purge --delete --if-empty deletes a queue only when it is empty`() throws {
    let queue = try queue(1)
    let refused = try Program.workq("purge", "--force", "--delete", "--if-empty", queue).run()
    #expect(refused.status == 75)
    #expect(refused.error.contains("not empty"))
    try expect(Program.workq("purge", "--force", queue).run().status, equals: 0)
    let deleted = try Program.workq("purge", "--force", "--delete", "--if-empty", queue).run()
    #expect(deleted.status == 0)
    #expect(deleted.output == "\(queue): 0 removed, deleted\n")
    try expect(Program.workq("purge", "--force", "--delete", queue).run().status, equals: 78)
  }

  /// RabbitMQ deletes a stream even if it is not empty, and closes the connection for a quorum queue.
  @Test(arguments: [
    ("quorum", "--if-empty", 64, "is a quorum queue, and RabbitMQ deletes those without conditions only"),
    ("quorum", "--if-unused", 64, "(leave out --if-empty and --if-unused)"),
    ("stream", "--if-empty", 78, "is a stream"),
  ])
  func `purge --delete refuses a condition that the queue's type does not support`(
    type: String, condition: String, status: Int32, reason: String
  ) throws {
    let queue = try queue(1, "--type", type)
    let other = try self.queue(0)
    let refused = try Program.workq("purge", "--force", "--delete", condition, other, queue).run()
    #expect(refused.status == status, "\(refused.error)")
    #expect(refused.error.contains(reason), "\(refused.error)")
    try expect(Program.workq("declare", "--check", other).run().status, equals: 0)
    try expect(Program.workq("declare", "--check", queue).run().status, equals: 0)
    try expect(Program.workq("purge", "--force", "--delete", queue).run().status, equals: 0)
  }

  /// A queue with one task in a retry queue and one in a delay queue.
  private func queueWithWaitingTasks() throws -> (name: String, delays: [String]) {
    let queue = try queue(0)
    try expect(Program.workq("publish", "-q", queue, "fails").run().status, equals: 0)
    let worker = Program.workq("work", "-q", queue, "--drain", "--retry-delay", "200s", "--", "false")
    try expect(worker.run().status, equals: 0)
    try expect(Program.workq("publish", "-q", queue, "--delay", "300s", "later").run().status, equals: 0)
    return (queue, ["--retry-delay", "200s", "--delay", "300s"])
  }

  @Test func `purge --delete reports the retry and delay queues, and deletes them with --all`() throws {
    let (queue, delays) = try queueWithWaitingTasks()
    let result = try Program.workq(["purge", "--force", "--delete", queue] + delays).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "\(queue): 0 removed, deleted\n")
    #expect(result.error.hasPrefix("workq: tasks wait to return to '\(queue)' in '\(queue).retry.200000"))
    #expect(result.error.contains("(1 task), '\(queue).delay.300000"), "\(result.error)")
    #expect(result.error.contains("(--all deletes the queue's retry and delay queues, too)"))
    #expect(result.error.hasSuffix("tasks that the broker is returning just now cannot be counted\n"))
    // The retry and delay queues still exist.
    try expect(Program.workq(["declare", queue]).run().status, equals: 0)
    let all = try Program.workq(["purge", "--force", "--delete", "--all", queue] + delays).run()
    #expect(all.status == 0, "\(all.error)")
    #expect(all.outputLines.count == 3, "\(all.output)")
    #expect(all.outputLines.first == "\(queue): 0 removed, deleted")
    #expect(all.outputLines.dropFirst().allSatisfy { $0.hasSuffix(": 1 removed, deleted") }, "\(all.output)")
    let again = try Program.workq("declare", queue).run()
    #expect(again.status == 0)
    let nothing = try Program.workq(["purge", "--force", "--delete", queue] + delays).run()
    #expect(nothing.error == "")
  }

  @Test func `purge --delete --all names a retry queue when it asks, and keeps the queue after 'n'`() throws {
    let (queue, delays) = try queueWithWaitingTasks()
    let purge = try Program.workq(["purge", "--delete", "--all", queue] + delays).inTerminal().start()
    try purge.waitForOutput("and those that workers hold, and '\(queue).retry.200000")
    try purge.type("n\n")
    try expect(purge.end().status, equals: 0)
    try expect(Program.workq("declare", "--check", queue).run().status, equals: 0)
    try expect(Program.workq(["purge", "-f", "--delete", "--all", queue] + delays).run().status, equals: 0)
  }

  @Test(arguments: [["--all"], ["--delay", "1s"], ["--delete", "--all", "--if-empty"]])
  func `purge refuses options that require or exclude other options`(options: [String]) throws {
    try expect(Program.workq(["purge", "--force", "-q", freshQueue()] + options).run().status, equals: 64)
  }

  @Test func `purge empties a quorum queue and exits with 78 for a stream (540)`() throws {
    let quorum = try queue(3, "--type", "quorum")
    try waitUntil("the tasks are waiting") { try waiting(in: quorum) == 3 }
    try expect(Program.workq("purge", "--force", quorum).run().output, equals: "\(quorum): 3 removed\n")
    let stream = try queue(0, "--type", "stream")
    let refused = try Program.workq("purge", "--force", stream).run()
    #expect(refused.status == 78)
    #expect(refused.error.contains("queue.purge not supported by stream queues"))
  }
}
