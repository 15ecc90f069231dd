import Foundation
import TestSupport
import Testing

@Suite(.waiting) struct FailedTests {
  /// A work queue whose failed queue, declared by a worker, holds the tasks 0, 1 and so on.
  private func parked(_ count: Int) throws -> String {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let first = Program.workq("publish", "-q", queue, "--message-id", "first", "0")
    try expect(first.run().status, equals: 0)
    let options = ["-q", queue, "--on-failure", "park", "--drain", "--quiet"]
    let worker = Program.workq(["work"] + options + ["--", "sh", "-c", "echo no such file >&2; exit 2"])
    try expect(worker.run().status, equals: 1)
    let lines = (1..<count).map { number in
      let headers = #"{"x-workq-exit-status": \#(number % 2 == 0 ? 2 : 3), "n": \#(number)}"#
      return #"{"body": "\#(number)", "message_id": "id-\#(number)", "headers": \#(headers)}"# + "\n"
    }
    let publish = Program.workq("publish", "-q", "\(queue).failed", "--jsonl")
    try expect(publish.run(input: Array(lines.joined().utf8)).status, equals: 0)
    return queue
  }

  private func bodies(_ queue: String) throws -> [String] {
    let peek = Program.workq("peek", queue, "--json", "-c", "1000000")
    return try peek.run().outputLines.compactMap { line in
      try (JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["body"] as? String
    }
  }

  /// The bodies in the order in which `failed --list` prints them.
  private func listed(_ queue: String) throws -> [String] {
    try Program.workq("failed", queue, "--list", "--json").run().outputLines.compactMap { line in
      try (JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["body"] as? String
    }
  }

  @Test func `counts parked tasks by reason and keeps their order`() throws {
    let queue = try parked(20)
    for _ in 1...3 {
      let result = try Program.workq("failed", queue, "--json").run()
      #expect(result.status == 0)
      let rows = try result.outputLines.map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
      #expect(rows.compactMap { $0["error"] as? String }.sorted() == ["exit status 2", "exit status 3"])
      #expect(rows.compactMap { $0["tasks"] as? Int } == [10, 10])
    }
    try expect(bodies("\(queue).failed"), equals: (0..<20).map(String.init))
  }

  @Test func `keeps the order of parked tasks when it counts them 30 times`() throws {
    let queue = try parked(5)
    for _ in 1...30 { try expect(Program.workq("failed", queue, "--quiet").run().status, equals: 0) }
    try expect(bodies("\(queue).failed"), equals: (0..<5).map(String.init))
  }

  @Test func `loses no task and keeps the order when it is killed`() throws {
    let queue = try parked(2000)
    for delay in [0.01, 0.05, 0.1, 0.2] {
      let look = Program(
        "/bin/sh", ["-c", "timeout -s KILL \(delay) \"$0\" failed \"$1\"", TestEnvironment.binary, queue])
      _ = try look.run()
    }
    try waitUntil("all tasks are requeued") { try listed(queue).count == 2000 }
    try expect(listed(queue), equals: (0..<2000).map(String.init))
  }

  @Test func `prints a line for each task when --list is given`() throws {
    let queue = try parked(3)
    let lines = try Program.workq("failed", queue, "--list").run().outputLines
    #expect(lines.count == 4)
    #expect(lines[1].hasPrefix("first "))
    #expect(lines[1].contains("  1  exit status 2 "))
    #expect(lines[1].hasSuffix("  '0'"))
  }

  @Test func `exits with 0 when there is no failed queue, and with 78 when there is no queue at all`() throws
  {
    let queue = freshQueue()
    let misspelt = try Program.workq("failed", queue).run()
    #expect(misspelt.status == 78)
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let result = try Program.workq("failed", queue).run()
    #expect(result.status == 0)
    #expect(result.output == "")
    #expect(result.error == "workq: no task is parked in '\(queue).failed'\n")
  }

  @Test func `refuses a stream (78)`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue, "--type", "stream").run().status, equals: 0)
    let result = try Program.workq("failed", "other", "--failed-queue", queue).run()
    #expect(result.status == 78)
  }
}

@Suite(.slow) struct LargeFailedQueueTests {
  @Test func `counts 100,000 parked tasks and keeps their order`() throws {
    let (queue, count) = (freshQueue(), 100_000)
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    try publish(["0"], to: queue)
    let park = ["-q", queue, "--on-failure", "park", "--drain", "--quiet"]
    try expect(Program.workq(["work"] + park + ["--", "sh", "-c", "exit 2"]).run().status, equals: 1)
    let rest = Array((1..<count).map { "\($0)\n" }.joined().utf8)
    let publish = Program.workq(
      "publish", "-q", "\(queue).failed", "--lines", "-H", "x-workq-exit-status:=2")
    try expect(publish.run(input: rest, limit: 600).status, equals: 0)
    for _ in 1...2 {
      let result = try Program.workq("failed", queue, "--json").run(limit: 600)
      #expect(result.status == 0, "\(result.error)")
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
      #expect(object["error"] as? String == "exit status 2")
      #expect(object["tasks"] as? Int == count)
    }
    let order = try drain("\(queue).failed").map(\.text)
    #expect(order.count == count)
    #expect(order == (0..<count).map(String.init))
  }
}

@Suite(.waiting) struct RetryTests {
  private func parked(_ count: Int) throws -> String {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    try expect(Program.workq("declare", "\(queue).failed", "--type", "quorum").run().status, equals: 0)
    let lines = (0..<count).map { number in
      #"{"body": "\#(number)", "message_id": "id-\#(number)", "headers": {"x-workq-attempts": 5}}"# + "\n"
    }
    let publish = Program.workq("publish", "-q", "\(queue).failed", "--jsonl")
    try expect(publish.run(input: Array(lines.joined().utf8)).status, equals: 0)
    return queue
  }

  private func bodies(_ queue: String) throws -> [String] {
    let peek = Program.workq("peek", queue, "--json", "-c", "1000000")
    return try peek.run().outputLines.compactMap { line in
      try (JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["body"] as? String
    }
  }

  @Test func `retry moves parked tasks to the work queue in order and removes their attempt counts`() throws {
    let queue = try parked(30)
    let result = try Program.workq("retry", queue).run()
    #expect(result.status == 0)
    #expect(result.output == "\(queue).failed -> \(queue): 30 moved\n")
    try expect(bodies(queue), equals: (0..<30).map(String.init))
    let peek = try Program.workq("peek", queue, "-c", "1").run()
    #expect(!peek.output.contains("attempts"))
  }

  @Test func `keeps attempts when --keep-attempts is given`() throws {
    let queue = try parked(1)
    try expect(Program.workq("retry", queue, "--keep-attempts").run().status, equals: 0)
    let peek = try Program.workq("peek", queue).run()
    #expect(peek.output.contains("attempts       5"))
  }

  @Test func `retry --id moves only the tasks with the given ids and keeps the order of the others`() throws {
    let queue = try parked(100)
    let result = try Program.workq("retry", queue, "--id", "id-3", "--id", "id-77").run()
    #expect(result.output == "\(queue).failed -> \(queue): 2 moved, 98 left\n")
    try expect(bodies(queue), equals: ["3", "77"])
    let rest = (0..<100).filter { $0 != 3 && $0 != 77 }.map(String.init)
    try expect(bodies("\(queue).failed"), equals: rest)
  }

  @Test func `moves nothing when --dry-run is given`() throws {
    let queue = try parked(5)
    let result = try Program.workq("retry", queue, "--id", "id-3", "--dry-run").run()
    #expect(result.status == 0)
    #expect(result.outputLines.count == 3)
    #expect(result.outputLines.dropFirst().first?.hasPrefix("id-3 ") == true)
    #expect(result.outputLines.last == "\(queue).failed -> \(queue): 1 would be moved, 4 left")
    try expect(bodies("\(queue).failed"), equals: (0..<5).map(String.init))
    try expect(bodies(queue), equals: [])
  }

  @Test func `exits with 0 when there is no failed queue`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let result = try Program.workq("retry", queue).run()
    #expect(result.status == 0)
    #expect(result.error == "workq: no task is parked in '\(queue).failed'\n")
  }

  @Test func `loses no task when it is killed at random moments`() throws {
    let queue = try parked(3000)
    for _ in 0..<12 {
      let delay = Double.random(in: 0.01...0.15)
      let retry = Program(
        "/bin/sh", ["-c", "timeout -s KILL \(delay) \"$0\" retry \"$1\"", TestEnvironment.binary, queue])
      _ = try retry.run()
    }
    try waitUntil("the remaining tasks are moved") {
      _ = try Program.workq("retry", queue).run()
      return try Set(bodies(queue)).count == 3000
    }
  }
}
