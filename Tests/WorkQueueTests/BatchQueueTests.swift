import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct BatchQueueTests {
  private let now = Deadline.now

  private func job(_ number: Int, size: Int = 1) -> Job {
    let delivery = Delivery(
      tag: Delivery.Tag(session: 1, number: UInt64(number)), isRedelivered: false, exchange: "",
      routingKey: "q",
      message: Message(body: [UInt8](repeating: 65, count: size)))
    return Job(number: number, delivery: delivery, attempt: 1, started: now, received: now)
  }

  private func queue(_ numbers: ClosedRange<Int>, size: Int = 4, expectsNone: Bool = false) -> BatchQueue {
    var queue = BatchQueue(size: size, wait: .seconds(10), expectsNone: expectsNone)
    for number in numbers { queue.append(job(number), now) }
    return queue
  }

  private func numbers(_ batch: Batch?) -> [Int]? { batch?.jobs.map(\.number) }

  @Test func `a batch is complete at its maximum size, and the remaining tasks wait for the timeout`() {
    var queue = queue(1...6)
    #expect(numbers(queue.popFirst(now)) == [1, 2, 3, 4])
    #expect(numbers(queue.popFirst(now)) == nil)
    #expect(queue.nextDeadline == now + .seconds(10))
    #expect(numbers(queue.popFirst(now + .seconds(10))) == [5, 6])
    #expect(queue.nextDeadline == .never)
  }

  @Test func `a batch is complete when its bodies reach 16 MiB`() {
    var queue = BatchQueue(size: 100, wait: .seconds(10), expectsNone: false)
    for number in 1...3 { queue.append(job(number, size: 8 << 20), now) }
    #expect(numbers(queue.popFirst(now)) == [1, 2])
    #expect(queue.hasComplete == false)
  }

  @Test func `a batch waits only 20 ms when no task is expected, and is complete at once at shutdown`() {
    var draining = queue(1...2, expectsNone: true)
    #expect(draining.nextDeadline == now + .milliseconds(20))
    draining.stop()
    #expect(draining.hasComplete == true)
    var stopped = queue(1...2)
    stopped.stop()
    #expect(numbers(stopped.popFirst(now)) == [1, 2])
    stopped.append(job(3), now)
    #expect(stopped.nextDeadline == now + .milliseconds(20))
  }

  @Test func `the queue reruns a failed batch in halves before all other batches`() {
    var queue = queue(1...4)
    queue.halve([job(11), job(12), job(13)])
    queue.halve([job(21)])
    #expect(numbers(queue.popFirst(now)) == [21])
    let first = queue.popFirst(now)
    #expect(numbers(first) == [11, 12])
    #expect(first?.isRerun == true)
    #expect(queue.takeAll().map(\.number) == [13, 1, 2, 3, 4])
    #expect(numbers(queue.popFirst(now)) == nil)
  }
}

@Suite(.units) struct StartDelayTests {
  private let now = Deadline.now

  @Test func `the start delay doubles with each failure and is exhausted after the fifth`() {
    var delay = StartDelay()
    for milliseconds in [100, 200, 400, 800] {
      #expect(delay.failed(in: delay.round, now) == .milliseconds(milliseconds))
      #expect(delay.end == now + .milliseconds(milliseconds))
    }
    #expect(delay.isExhausted == false)
    #expect(delay.failed(in: delay.round, now) == .zero)
    #expect(delay.isExhausted == true)
  }

  @Test func `failures of processes started together count once, and a reset restarts the delay`() {
    var delay = StartDelay()
    let round = delay.round
    #expect(delay.failed(in: round, now) == .milliseconds(100))
    #expect(delay.failed(in: round, now) == nil)
    #expect(delay.failures == 1)
    delay.reset()
    #expect(delay.failed(in: delay.round, now) == .milliseconds(100))
  }
}
