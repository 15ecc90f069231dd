import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct DelayQueueTests {
  @Test func `each delay has a queue of its own, which ends in the work queue`() {
    let delay = DelayQueue(for: "mail", delay: .seconds(90))
    #expect(delay.name == "mail.delay.90000")
    #expect(delay.queue.name == delay.name)
    #expect(delay.queue.isDurable)
    #expect(
      delay.queue.arguments == [
        "x-message-ttl": .int64(90_000), "x-expires": .int64(90_000 + 3_600_000),
        "x-dead-letter-exchange": .text(""), "x-dead-letter-routing-key": .text("mail"),
      ])
    #expect(DelayQueue(for: "mail", delay: .milliseconds(1)).name == "mail.delay.1")
    #expect(DelayQueue(for: "mail", delay: .microseconds(1999)).name == "mail.delay.1")
  }

  @Test(arguments: [Duration.milliseconds(1), .seconds(1), .seconds(86_400), DelayQueue.longest])
  func `a task put there at the end of a lease is sent on before the queue expires`(delay: Duration) {
    let arguments = DelayQueue(for: "q", delay: delay).queue.arguments
    guard case .int64(let expires) = arguments["x-expires"] else {
      Issue.record("no x-expires")
      return
    }
    #expect(DelayQueue.lease + delay + .seconds(600) <= .milliseconds(expires))
    #expect(expires <= 4_294_967_295)
  }

  @Test func `the longest delay is as many days as it says`() {
    #expect(DelayQueue.longestInDays == 49)
    #expect(Duration.seconds(86_400 * DelayQueue.longestInDays) < DelayQueue.longest)
  }

  @Test func `a queue is made once for all tasks that were sent before`() {
    var made = MadeQueues()
    #expect(made.isMissing("q", at: 0))
    made.made("q", before: 10)
    #expect(!made.isMissing("q", at: 9))
    #expect(made.isMissing("q", at: 10))
    #expect(made.isMissing("r", at: 9))
  }

  @Test func `a lease is one queue's, until it is forgotten`() {
    var made = MadeQueues()
    #expect(!made.hasLease(on: "q.delay.1"))
    made.leased("q.delay.1")
    #expect(made.hasLease(on: "q.delay.1"))
    #expect(!made.hasLease(on: "r.delay.1"))
    made.forgetLeases()
    #expect(!made.hasLease(on: "q.delay.1"))
  }
}
