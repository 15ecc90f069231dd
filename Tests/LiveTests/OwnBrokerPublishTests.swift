import Foundation
import TestSupport
import Testing

/// Brokers with low limits, with an alarm, or that are killed: each test changes a disposable broker.
@Suite(.disposable) final class OwnBrokerPublishTests {
  private let broker: Broker
  private let queue = freshQueue("own")

  init() throws {
    broker = try DisposableBroker.get()
    try #require(try Program.workq("declare", queue).at(broker).run().status == 0)
  }

  private func publish(_ options: String..., input: [UInt8]? = nil, limit: Double = 60) throws
    -> Program.Result
  {
    try Program.workq(["publish", "-q", queue] + options).at(broker).run(input: input, limit: limit)
  }

  // MARK: Limits

  @Test func `publish reports a body above max_message_size and publishes the other records`() throws {
    let large = String(repeating: "x", count: DisposableBroker.largestMessage + 1)
    var records = (1...500).map { "\($0)" }
    records[249] = large
    let batch = try publish("-l", input: Array(records.joined(separator: "\n").utf8))
    #expect(batch.status == 3)
    #expect(
      batch.error.contains("499 published, 1 not: record 250 (PRECONDITION_FAILED - message size"),
      "\(batch.error)")
    let arrived = try drain(queue, at: broker).compactMap { Int($0.text) }
    #expect(Set(arrived) == Set(1...500).subtracting([250]))
    let single = try publish(input: Array(large.utf8))
    #expect(single.status == 65, "\(single.error)")
    #expect(single.error.split(separator: "\n").count == 1, "\(single.error)")
    let size = DisposableBroker.largestMessage + 1
    #expect(single.error.contains("not published: PRECONDITION_FAILED - message size \(size) is larger"))
    #expect(single.error.contains("(max_message_size in rabbitmq.conf: 16 MiB by default in RabbitMQ 4, "))
  }

  @Test(arguments: [[], ["--no-confirm"]])
  func `publishes a large body when the broker has a small frame_max`(options: [String]) throws {
    try broker.set("frame_max", "8192")
    defer { try? broker.set("frame_max", "131072") }
    let body = [UInt8](repeating: 0x61, count: 50_000)
    let publish = try Program.workq(["publish", "-q", queue] + options).at(broker).run(input: body)
    #expect(publish.status == 0, "\(publish.error)")
    let isThere = try drain(queue, at: broker).map(\.bytes) == [body]
    #expect(isThere)
  }

  @Test func `publish reports headers above frame_max and publishes the other records`() throws {
    try broker.set("frame_max", "8192")
    defer { try? broker.set("frame_max", "131072") }
    let headers = #"{"body": "b", "headers": {"h": "\#(String(repeating: "h", count: 20_000))"}}"#
    let batch = try publish(
      "--jsonl", input: Array("{\"body\": \"a\"}\n\(headers)\n{\"body\": \"c\"}\n".utf8))
    #expect(batch.status == 3)
    #expect(
      batch.error.contains("2 published, 1 not: record 2 (the headers take "),
      "\(batch.error)")
    try expect(drain(queue, at: broker).map(\.text), equals: ["a", "c"])
  }

  // MARK: Alarms

  @Test func `publish reports a memory alarm, and exits with 3 or 75 when the alarm does not end`() throws {
    let pipe = try NamedPipe()
    let running = try shell(
      "exec \"$0\" publish -l --confirm-timeout 3s -q \"$1\" <\"$2\"", queue, pipe.path, at: broker
    ).start()
    try pipe.write("first\n")
    try waitUntil("the first task arrives") { try waiting(in: queue, at: broker) == 1 }
    try broker.raise(.memory)
    defer { _ = try? broker.clear(.memory) }
    try pipe.write("second\n")
    try running.waitForError("the broker blocks publishers (memory alarm); waiting up to 3 s")
    let result = try running.end()
    #expect(result.status == 3)
    #expect(
      result.error.contains(
        "1 published, 1 not: cannot publish: the broker blocks publishers: low on memory"))
    let single = try publish("--confirm-timeout", "1s", "x")
    #expect(single.status == 75, "\(single.error)")
    let unconfirmed = try publish(
      "--no-confirm", "--confirm-timeout", "2s", "-l", input: Array(repeating: 0x0a, count: 200_000))
    #expect([3, 75].contains(unconfirmed.status), "\(unconfirmed.error)")
  }

  @Test func `publish succeeds when a memory alarm ends within --confirm-timeout`() throws {
    try broker.raise(.memory)
    defer { _ = try? broker.clear(.memory) }
    let running = try Program.workq("publish", "--confirm-timeout", "60s", "-q", queue, "x").at(broker)
      .start()
    try running.waitForError("the broker blocks publishers")
    try broker.clear(.memory)
    try expect(running.end().status, equals: 0)
    #expect(running.error.contains("the broker accepts tasks again"))
    try expectWaiting(in: queue, at: broker, equals: 1)
  }

  // MARK: Restarts and kills

  @Test func `delayed tasks survive a restart of the broker and keep their order`() throws {
    for body in ["1", "2", "3"] { try expect(publish("--delay", "3s", body).status, equals: 0) }
    try broker.stop()
    try broker.restart()
    try waitUntil("all three tasks arrive") { try waiting(in: queue, at: broker) == 3 }
    try expect(drain(queue, at: broker).map(\.text), equals: ["1", "2", "3"])
  }

  @Test(arguments: [true, false])
  func `no confirmed line is lost when the broker is killed`(retries: Bool) throws {
    let count = 60_000
    let failed = FileManager.default.temporaryDirectory.appending(path: queue).path
    defer { try? FileManager.default.removeItem(atPath: failed) }
    let options = retries ? ["--retry-for", "10m"] : []
    try broker.writeDefinitions()
    let input = Array((1...count).map { "\($0)\n" }.joined().utf8)
    let running = try Program.workq(
      ["publish", "-l", "--print-id", "--failed-to", failed, "-q", queue] + options
    ).at(broker).start(input: input)
    try waitUntil("more than 2,000 tasks are confirmed") { running.output.utf8.count / 37 > 2000 }
    try broker.kill()
    if !retries { _ = try running.end() }
    try broker.restart()
    let result = try running.end(within: 600)
    let rest = (try? String(contentsOfFile: failed, encoding: .utf8)) ?? ""
    let left = rest.split(separator: "\n").compactMap { Int($0) }
    let tasks = try drain(queue, at: broker)
    #expect(Set(tasks.compactMap(\.id)).isSuperset(of: result.outputLines), "a confirmed task is lost")
    #expect(Set(tasks.compactMap { Int($0.text) }).union(left) == Set(1...count))
    #expect(result.outputLines.count + left.count == count)
    if retries {
      #expect(result.status == 0, "\(result.error)")
      #expect(left.isEmpty, "\(result.error)")
    } else {
      #expect(result.status == 3, "\(result.error)")
    }
  }
}
