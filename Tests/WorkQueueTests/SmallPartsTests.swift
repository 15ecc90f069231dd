import TestSupport
import Testing

@testable import AMQP
@testable import WorkQueue

@Suite(.units) struct FakeRunnerTests {
  @Test(arguments: [
    ("", 0), ("no dots", 0), ("First message.", 1), ("Fifth message.....", 5), (".a.b.", 3),
  ])
  func `a fake run takes the given time for each dot`(body: String, dots: Int) {
    #expect(FakeRunner.duration(of: Array(body.utf8), dot: .seconds(1)) == .seconds(dots))
    #expect(FakeRunner.duration(of: Array(body.utf8), dot: .milliseconds(300)) == .milliseconds(300 * dots))
  }

  @Test func `counts dots in a body that is not UTF-8`() {
    #expect(FakeRunner.duration(of: [0xff, 0x2e, 0, 0x2e], dot: .seconds(1)) == .seconds(2))
  }
}

@Suite(.units) struct BackoffTests {
  @Test func `the reconnect delay doubles from 500 ms to 30 s`() {
    var backoff = Backoff()
    let delays = (0..<9).map { _ in backoff.delay(1) }
    #expect(delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
    backoff.reset()
    #expect(backoff.delay(1) == .milliseconds(500))
  }

  @Test func `the random part shortens the delay by at most half`() {
    for _ in 0..<1000 {
      var backoff = Backoff()
      let delay = backoff.delay()
      #expect(delay >= .milliseconds(250))
      #expect(delay <= .milliseconds(500))
    }
  }
}

@Suite(.units) struct FifoTests {
  @Test func `prepended elements come first, in their order`() {
    var queue = Fifo([1, 2, 3])
    #expect(queue.popFirst() == 1)
    queue.prepend([8, 9])
    queue.prepend([])
    #expect(queue.count == 4)
    var all: [Int] = []
    while let element = queue.popFirst() { all.append(element) }
    #expect(all == [8, 9, 2, 3])
  }

  @Test func `returns elements in insertion order over many rounds of appends and removals`() {
    var fifo = Fifo<Int>()
    var (next, expected) = (0, 0)
    for round in 1...200 {
      for _ in 0..<round * 7 % 50 {
        fifo.append(next)
        next += 1
      }
      for _ in 0..<min(fifo.count, round * 11 % 60) {
        #expect(fifo.popFirst() == expected)
        expected += 1
      }
      #expect(fifo.count == next - expected)
    }
    while let element = fifo.popFirst() {
      #expect(element == expected)
      expected += 1
    }
    #expect(expected == next)
    #expect(fifo.isEmpty)
  }
}
