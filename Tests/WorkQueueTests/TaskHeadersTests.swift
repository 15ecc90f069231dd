import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct TaskHeadersTests {
  private func delivery(
    headers: FieldTable? = nil, exchange: String = "", routingKey: String = "q",
    _ change: (inout Message.Properties) -> Void = { _ in }
  ) -> Delivery {
    var properties = Message.Properties()
    properties.headers = headers
    change(&properties)
    return Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: false, exchange: exchange,
      routingKey: routingKey, message: Message(body: [1, 0, 2], properties: properties))
  }

  private func record(_ outcome: Outcome = .exited(3), attempt: Int = 1) -> FailureRecord {
    FailureRecord(
      attempt: attempt, outcome: outcome, reason: "why", time: 1_700_000_000, host: "here", queue: "q")
  }

  @Test(
    arguments: [
      (nil, 1), ([:], 1), ([TaskHeaders.attempts: .int64(3)], 4), ([TaskHeaders.attempts: .int32(3)], 4),
      ([TaskHeaders.attempts: .uint8(3)], 4), ([TaskHeaders.attempts: .int8(-3)], 1),
      ([TaskHeaders.attempts: .text("3")], 1), ([TaskHeaders.attempts: .uint64(.max)], .max),
      ([TaskHeaders.attempts: .int64(.max)], .max), (["x-delivery-count": .int64(2)], 3),
      (["x-delivery-count": .int64(2), TaskHeaders.attempts: .int64(3)], 6),
      (["x-delivery-count": .int64(.max), TaskHeaders.attempts: .int64(.max)], .max),
      (["x-delivery-count": .uint16(1), TaskHeaders.attempts: .int16(1)], 3),
      (["x-delivery-count": .uint32(1), TaskHeaders.attempts: .void], 2),
    ] as [(FieldTable?, Int)])
  func `retries and a quorum queue's deliveries count as attempts`(headers: FieldTable?, attempt: Int) {
    #expect(delivery(headers: headers).attempt == attempt)
  }

  @Test func `the copy of a task that failed is the task, and says how it failed`() {
    let original = delivery(headers: ["mine": .text("kept")]) { properties in
      (properties.messageID, properties.priority, properties.deliveryMode) = ("id", 3, .transient)
      (properties.contentType, properties.timestamp, properties.replyTo) = ("text/plain", 5, "back")
    }
    let copy = original.copy(after: record(attempt: 2))
    #expect(copy.body == [1, 0, 2])
    var expected = original.message.properties
    expected.headers = [
      "mine": .text("kept"), TaskHeaders.attempts: .int64(2), TaskHeaders.reason: .text("why"),
      TaskHeaders.exitStatus: .int64(3), TaskHeaders.firstFailure: .timestamp(1_700_000_000),
      TaskHeaders.lastFailure: .timestamp(1_700_000_000), TaskHeaders.host: .text("here"),
      TaskHeaders.queue: .text("q"),
    ]
    #expect(copy.properties == expected)
  }

  @Test func `what the broker added, or would refuse, is left out`() {
    let names = [
      "x-death", "x-first-death-queue", "x-first-death-reason", "x-first-death-exchange",
      "x-last-death-queue", "x-delivery-count", "x-acquired-count", "CC", "BCC",
    ]
    let headers = FieldTable(entries: names.map { .init(name: $0, value: .int64(1)) })
    let copy = delivery(headers: headers) { ($0.userID, $0.expiration) = ("someone", "1000") }
      .copy(after: record())
    for name in names { #expect(copy.properties.headers?[name] == nil) }
    #expect(copy.properties.userID == nil)
    #expect(copy.properties.expiration == nil)
  }

  @Test func `a second failure keeps the first one's time and replaces the rest`() {
    var first = record(.signalled(11))
    first.stderr = Array("segfault".utf8)
    let once = delivery().copy(after: first)
    #expect(once.properties.headers?[TaskHeaders.signal] == .int64(11))
    #expect(once.properties.headers?[TaskHeaders.exitStatus] == nil)
    #expect(once.properties.headers?[TaskHeaders.stderr] == .text("segfault"))
    var second = record(.timedOut(.seconds(1)), attempt: 2)
    second.time += 60
    let twice = delivery(headers: once.properties.headers).copy(after: second)
    #expect(twice.properties.headers?[TaskHeaders.firstFailure] == .timestamp(1_700_000_000))
    #expect(twice.properties.headers?[TaskHeaders.lastFailure] == .timestamp(1_700_000_060))
    for name in [TaskHeaders.signal, TaskHeaders.exitStatus, TaskHeaders.stderr] {
      #expect(twice.properties.headers?[name] == nil)
    }
  }

  @Test func `where a task was first published to survives its way through our queues`() {
    let first = delivery(exchange: "images", routingKey: "cat")
    #expect(first.origin == ("images", "cat"))
    let back = delivery(headers: first.copy(after: record()).properties.headers)
    #expect(back.origin == ("images", "cat"))
    #expect(delivery().copy(after: record()).properties.headers?[TaskHeaders.exchange] == nil)
  }

  @Test func `a copy can do without the command's words`() {
    var failure = record()
    failure.stderr = [65]
    let copy = Copy(
      number: 1, tag: Delivery.Tag(session: 1, number: 1), message: delivery().copy(after: failure),
      destination: .failedQueue)
    #expect(copy.message.properties.headers?[TaskHeaders.stderr] == .text("A"))
    #expect(copy.lighter.message.properties.headers?[TaskHeaders.stderr] == nil)
    #expect(copy.lighter.message.body == copy.message.body)
  }
}
