import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct DeliveryHistoryTests {
  private func history(returns: Int64? = nil, starts: Int64? = nil) -> DeliveryHistory {
    var headers = FieldTable()
    headers["x-delivery-count"] = returns.map { .int64($0) }
    headers[TaskHeaders.starts] = starts.map { .int64($0) }
    return DeliveryHistory(headers)
  }

  @Test(
    arguments: [
      (nil, nil, false), (0, nil, false), (9, nil, false), (10, nil, true), (nil, 1, false), (0, 1, false),
      (1, 1, true), (12, 0, true),
    ] as [(Int64?, Int64?, Bool)])
  func `a task is suspicious after 10 returns, or after any return with a recorded start`(
    returns: Int64?, starts: Int64?, isSuspicious: Bool
  ) {
    #expect(history(returns: returns, starts: starts).isSuspicious == isSuspicious)
  }

  @Test(
    arguments: [(1, 4, false), (1, 5, true), (nil, 5, false), (0, 7, false), (19, nil, false)]
      as [(Int64?, Int64?, Bool)])
  func `a task counts as killing its workers when it was returned with 5 recorded starts`(
    returns: Int64?, starts: Int64?, hasKilled: Bool
  ) {
    #expect(history(returns: returns, starts: starts).hasKilledWorkers == hasKilled)
  }

  @Test(
    arguments: [(9, nil, false), (10, nil, true), (nil, 1, true), (nil, nil, false)]
      as [(Int64?, Int64?, Bool)])
  func `a task must not be returned after 10 returns or with a recorded start`(
    returns: Int64?, starts: Int64?, mustNotReturn: Bool
  ) {
    #expect(history(returns: returns, starts: starts).mustNotReturn == mustNotReturn)
  }

  @Test(arguments: [FieldValue.text("10"), .int64(-10), .void, .boolean(true)])
  func `treats an invalid delivery or start count as absent`(value: FieldValue) {
    #expect(DeliveryHistory(["x-delivery-count": value, TaskHeaders.starts: value]) == DeliveryHistory(nil))
  }
}

@Suite(.units) struct ReplacerTests {
  private func task(returns: Int64, starts: Int64? = nil) -> Delivery {
    var properties = Message.Properties()
    properties.headers = ["x-delivery-count": .int64(returns)]
    properties.headers?[TaskHeaders.starts] = starts.map { .int64($0) }
    return Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: true, exchange: "", routingKey: "q",
      message: Message(body: [], properties: properties))
  }

  @Test(
    arguments: [
      ("3.13", 15, nil, false), ("3.13", 0, 1, true), ("4.0", 9, nil, false), ("4.0", 10, nil, true),
      ("4.2", 10, nil, true), ("4.3", 19, 3, false),
    ] as [(String, Int64, Int64?, Bool)])
  func `replaces an inspected task when another counted return is unsafe`(
    version: String, returns: Int64, starts: Int64?, isReplaced: Bool
  ) {
    let version = BrokerVersion(broker: "RabbitMQ \(version).1")
    #expect(Replacer.mustReplace(task(returns: returns, starts: starts), on: version) == isReplaced)
  }

  @Test func `replaces no task when the broker is not RabbitMQ`() {
    #expect(!Replacer.mustReplace(task(returns: 15), on: BrokerVersion(broker: "LavinMQ 2.0.0")))
  }
}

@Suite(.units) struct ReplacementsTests {
  private func task(_ number: UInt64) -> ReceivedTask {
    let delivery = Delivery(
      tag: Delivery.Tag(session: 1, number: number), isRedelivered: true, exchange: "", routingKey: "q",
      message: Message(body: []))
    return ReceivedTask(delivery: delivery, received: .now)
  }

  @Test func `counts only the replacements that record a start as recent starts`() {
    var replacements = Replacements()
    replacements.add(task(1), recordsStart: true)
    replacements.add(task(2), recordsStart: false)
    #expect(replacements.recentStarts == 1)
    #expect(replacements.isPending)
  }

  @Test func `waits for a confirm with a time limit`() {
    var replacements = Replacements()
    #expect(replacements.nextDeadline == .never)
    replacements.add(task(1), recordsStart: true)
    #expect(replacements.nextDeadline < .after(.seconds(6)))
    #expect(replacements.takeOverdue() == [])
    replacements.confirm(task(1).delivery.tag)
    #expect(replacements.confirmed == 1)
    #expect(replacements.isInQueue)
    #expect(!replacements.isPending)
    #expect(replacements.nextDeadline == .never)
  }

  @Test func `returns a task once when its replacement is abandoned`() {
    var replacements = Replacements()
    replacements.add(task(1), recordsStart: false)
    #expect(replacements.giveUp(task(1).delivery.tag)?.delivery.tag.number == 1)
    #expect((replacements.giveUp(task(1).delivery.tag) == nil) == true)
  }

  @Test func `forgets the tasks that the broker redelivers`() {
    var replacements = Replacements()
    replacements.add(task(1), recordsStart: false)
    replacements.add(task(2), recordsStart: false)
    replacements.forget { $0.number == 1 }
    #expect((replacements.giveUp(task(1).delivery.tag) == nil) == true)
    #expect((replacements.giveUp(task(2).delivery.tag) == nil) == false)
  }
}
