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
      ([TaskHeaders.attempts: .int64(.max)], .max), (["x-delivery-count": .int64(2)], 1),
      (["x-delivery-count": .int64(2), TaskHeaders.attempts: .int64(3)], 4),
      ([TaskHeaders.attempts: .int16(1)], 2), ([TaskHeaders.attempts: .uint16(1)], 2),
      ([TaskHeaders.attempts: .uint32(1)], 2), ([TaskHeaders.attempts: .void], 1),
    ] as [(FieldTable?, Int)])
  func `counts runs, and not deliveries, as attempts`(headers: FieldTable?, attempt: Int) {
    #expect(delivery(headers: headers).attempt == attempt)
  }

  @Test func `the copy of a failed task keeps its body and properties, and adds failure headers`() {
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

  @Test func `a copy omits the broker's headers, CC, BCC, the user ID and the expiration`() {
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

  @Test func `a replacement keeps the task, records its starts and omits the broker's headers`() {
    let headers: FieldTable = [
      "mine": .text("kept"), "x-delivery-count": .int64(12), TaskHeaders.attempts: .int64(2),
      TaskHeaders.starts: .int64(1),
    ]
    let original = delivery(headers: headers, exchange: "images", routingKey: "cat") { properties in
      (properties.messageID, properties.priority, properties.timestamp) = ("id", 3, 5)
      (properties.userID, properties.expiration) = ("someone", "1000")
    }
    let copy = original.replacement(in: "q", starts: 2)
    var expected = original.message.properties
    (expected.userID, expected.expiration) = (nil, nil)
    expected.headers = [
      "mine": .text("kept"), TaskHeaders.attempts: .int64(2), TaskHeaders.starts: .int64(2),
      TaskHeaders.exchange: .text("images"), TaskHeaders.routingKey: .text("cat"),
    ]
    #expect(copy.body == original.message.body)
    #expect(copy.properties == expected)
    #expect(delivery().replacement(in: "q", starts: 0).properties.headers == nil)
  }

  @Test func `a copy omits recorded starts when a run has ended, but not when the workers died`() {
    let task = delivery(headers: [TaskHeaders.starts: .int64(5)])
    #expect(task.copy(after: record()).properties.headers?[TaskHeaders.starts] == nil)
    let died = task.copy(after: record(.workersDied(starts: 5)))
    #expect(died.properties.headers?[TaskHeaders.starts] == .int64(5))
  }

  @Test func `a second failure keeps the time of the first, and replaces the other failure headers`() {
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

  @Test func `a copy keeps the exchange and routing key of the task's first publication`() {
    let first = delivery(exchange: "images", routingKey: "cat")
    #expect(first.origin == ("images", "cat"))
    let back = delivery(headers: first.copy(after: record()).properties.headers)
    #expect(back.origin == ("images", "cat"))
    #expect(delivery().copy(after: record()).properties.headers?[TaskHeaders.exchange] == nil)
  }

  @Test func `a copy without details omits stderr and reason, and keeps the attempts and the body`() {
    var failure = record()
    failure.stderr = [65]
    let copy = RetryMessage(
      number: 1, tag: Delivery.Tag(session: 1, number: 1), message: delivery().copy(after: failure),
      destination: .failedQueue, queue: "q.failed")
    #expect(copy.message.properties.headers?[TaskHeaders.stderr] == .text("A"))
    #expect(copy.withoutDetails?.message.properties.headers?[TaskHeaders.stderr] == nil)
    #expect(copy.withoutDetails?.message.properties.headers?[TaskHeaders.reason] == nil)
    #expect(copy.withoutDetails?.message.properties.headers?[TaskHeaders.attempts] != nil)
    #expect(copy.withoutDetails?.message.body == copy.message.body)
    #expect((copy.withoutDetails?.withoutDetails == nil) == true)
  }
}
