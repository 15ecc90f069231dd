import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct ISOWeekTests {
  @Test(
    arguments: [
      (0, "1970w01"), (-1, "1970w01"), (-259_200, "1970w01"), (-259_201, "1969w52"),
      (345_599, "1970w01"), (345_600, "1970w02"), (1_795_824_000, "2026w48"),
      // Sunday 2021-01-03 and Monday 2021-01-04.
      (1_609_718_399, "2020w53"), (1_609_718_400, "2021w01"),
      // Monday 2024-12-30 belongs to 2025; Friday 2027-01-01 belongs to 2026, which has 53 weeks.
      (1_735_516_800, "2025w01"), (1_798_761_600, "2026w53"), (4_102_444_800, "2099w53"),
      (13_569_465_600, "2399w52"), (13_569_552_000, "2399w52"),
    ])
  func `a time belongs to its ISO week in UTC`(seconds: Int, week: String) {
    #expect(ISOWeek(secondsSince1970: seconds).description == week)
  }

  @Test func `lists weeks from the latest to the earliest without a gap`() {
    let (first, last) = (ISOWeek(secondsSince1970: 1_609_718_399), ISOWeek(secondsSince1970: 1_610_323_200))
    let weeks = ISOWeek.weeks(from: first, to: last)
    #expect(weeks.map(\.description) == ["2021w02", "2021w01", "2020w53"])
    #expect(ISOWeek.weeks(from: last, to: last) == [last])
  }
}

@Suite(.units) struct WaitingQueueTests {
  /// 2026-11-27.
  private let week = ISOWeek(secondsSince1970: 1_795_737_600)

  @Test func `a retry waits in a quorum queue that dead-letters at least once and never expires`() {
    let retry = WaitingQueue.retry(of: "q", after: .milliseconds(2500))
    #expect(retry.name == "q.retry.2500ms")
    let queue = retry.queue(.quorum)
    #expect(queue.name == "q.retry.2500ms")
    #expect(queue.isDurable)
    #expect(
      queue.arguments == [
        "x-message-ttl": .int64(2500), "x-dead-letter-exchange": .text(""),
        "x-dead-letter-routing-key": .text("q"), "x-queue-type": .text("quorum"),
        "x-dead-letter-strategy": .text("at-least-once"), "x-overflow": .text("reject-publish"),
      ])
  }

  @Test func `a delayed task waits in a queue of its week that expires after the delay`() {
    let delay = WaitingQueue.delay(of: "mail", by: .seconds(90), in: week)
    #expect(delay.name == "mail.delay.90000ms.2026w48")
    #expect(
      delay.queue(.quorum).arguments == [
        "x-message-ttl": .int64(90_000), "x-dead-letter-exchange": .text(""),
        "x-dead-letter-routing-key": .text("mail"), "x-queue-type": .text("quorum"),
        "x-dead-letter-strategy": .text("at-least-once"), "x-overflow": .text("reject-publish"),
        "x-expires": .int64(90_000 + 1_209_600_000),
      ])
    #expect(WaitingQueue.delay(of: "q", by: .microseconds(1999), in: week).name == "q.delay.1ms.2026w48")
  }

  @Test func `a classic waiting queue declares its type, and has no arguments of quorum queues`() {
    #expect(
      WaitingQueue.retry(of: "q", after: .seconds(1)).queue(.classic).arguments == [
        "x-message-ttl": .int64(1000), "x-dead-letter-exchange": .text(""),
        "x-dead-letter-routing-key": .text("q"), "x-queue-type": .text("classic"),
      ])
  }

  @Test(
    arguments: [
      Duration.milliseconds(1), .seconds(1), .seconds(86_400), .seconds(35 * 86_400),
      .seconds(35 * 86_400 + 1), WaitingQueue.longestDelay,
    ])
  func `a delay queue does not expire before the delay of a task published in its week ends`(
    delay: Duration
  ) {
    let waiting = WaitingQueue.delay(of: "q", by: delay, in: week)
    let arguments = waiting.queue(.quorum).arguments
    #expect(arguments["x-message-ttl"] == .int64(delay.milliseconds))
    guard case .int64(let expires) = arguments["x-expires"] else {
      #expect(waiting.week == nil)
      #expect(waiting.name == "q.delay.\(delay.milliseconds)ms")
      #expect(delay > .seconds(35 * 86_400))
      return
    }
    let lastPublish = Duration.seconds(7 * 86_400)
    #expect(lastPublish + delay + .seconds(7 * 86_400) <= .milliseconds(expires))
    #expect(expires <= 4_294_967_295)
  }

  @Test func `the queues of version 1 have the names and arguments of version 1`() {
    let retry = WaitingQueue.retry(of: "q", after: .seconds(10)).formerQueue
    #expect(retry.name == "q.retry.10000")
    #expect(retry.arguments["x-expires"] == nil)
    let delay = WaitingQueue.delay(of: "q", by: .seconds(90), in: week).formerQueue
    #expect(delay.name == "q.delay.90000")
    #expect(
      delay.arguments == [
        "x-message-ttl": .int64(90_000), "x-dead-letter-exchange": .text(""),
        "x-dead-letter-routing-key": .text("q"), "x-queue-type": .text("classic"),
        "x-expires": .int64(90_000 + 3_600_000),
      ])
  }

  @Test func `the maximum delay is longer than its stated 49 days`() {
    #expect(WaitingQueue.longestDelayInDays == 49)
    #expect(Duration.seconds(86_400 * WaitingQueue.longestDelayInDays) < WaitingQueue.longestDelay)
  }

  @Test func `disables the delivery limit of a failed queue from RabbitMQ 4 on, and not before`() {
    func limit(_ version: BrokerVersion?) -> FieldValue? {
      Declarations.failedQueue("q.failed", on: version).arguments["x-delivery-limit"]
    }
    #expect(limit(BrokerVersion(3, 10)) == nil)
    #expect(limit(BrokerVersion(3, 13)) == nil)
    #expect(limit(nil) == nil)
    #expect(limit(BrokerVersion(4, 0)) == .int64(-1))
    #expect(limit(BrokerVersion(4, 3)) == .int64(-1))
  }
}
