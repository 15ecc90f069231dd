import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct TaggedLinesTests {
  private func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

  @Test func `tags each line when its bytes arrive in pieces of any size`() {
    let text = "one\ntwo\n\nfour"
    for size in 1...text.utf8.count {
      var (lines, result) = (TaggedLines(7), [UInt8]())
      var rest = bytes(text)
      while !rest.isEmpty {
        result += lines.add(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
      result += lines.finish()
      #expect(String(decoding: result, as: UTF8.self) == "[7] one\n[7] two\n[7] \n[7] four\n")
      #expect(lines.finish() == [])
    }
  }

  @Test func `passes on a long line before its newline arrives`() {
    var lines = TaggedLines(1)
    let chunk = [UInt8](repeating: 0x41, count: 40_000)
    #expect(lines.add(chunk[...]).isEmpty)
    #expect(lines.add(chunk[...]).count == 80_000 + 5)
    #expect(lines.finish().isEmpty)
  }
}

@Suite(.units) struct ConsumerTimeoutTests {
  private func error(_ detail: String) -> AMQPError { AMQPError(.preconditionFailed, "use", detail) }

  @Test func `learns the consumer timeout from the broker's error text`() {
    var timeout = ConsumerTimeout()
    #expect(timeout.warningTime == .seconds(1500))
    let reason = """
      PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 6000 ms. \
      This timeout value can be configured, see consumers doc guide to learn more
      """
    #expect(timeout.learn(from: error(reason)) == .limit(.seconds(6)))
    #expect(timeout.warningTime == .seconds(5))
  }

  @Test func `does not use -1 ms as the timeout when the consumer was cancelled before`() {
    var timeout = ConsumerTimeout()
    let reason =
      "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: -1 ms."
    #expect(timeout.learn(from: error(reason)) == .unknownLimit)
    #expect(timeout.limit == .seconds(1800))
  }

  @Test(
    arguments: [
      (nil, 10, 1, 1, 86_400), (300, 10, 1, 1, 620), (300, 10, 8, 8, 620), (300, 10, 9, 8, 930),
      (300, 10, 30, 1, 9610), (300, 10, 0, 4, 86_400), (1, 0, 1, 1, 10), (80_000, 10, 4, 4, 86_400),
      (Int64.max / 2, Int64.max / 2, 65_535, 1, 86_400),
    ] as [(Int64?, Int64, Int, Int, Int64)])
  func `requests a consumer timeout that covers the longest time the options allow`(
    timeout: Int64?, killAfter: Int64, prefetch: Int, jobs: Int, needed: Int64
  ) {
    let result = ConsumerTimeout.needed(
      timeout: timeout.map { .seconds($0) }, killAfter: .seconds(killAfter), prefetch: prefetch, jobs: jobs)
    #expect(result == .seconds(needed))
  }

  @Test func `learns no timeout from other errors`() {
    var timeout = ConsumerTimeout()
    #expect(timeout.learn(from: error("PRECONDITION_FAILED - unknown delivery tag 77")) == nil)
    #expect(timeout.learn(from: error("acknowledgement: Timeout value used: soon ms")) == nil)
    let other = AMQPError(.lost, "read", "acknowledgement Timeout value used: 1 ms")
    #expect(timeout.learn(from: other) == nil)
    #expect(timeout.limit == .seconds(1800))
  }
}

@Suite(.units) struct BoundsTests {
  @Test func `limits the prefetch to the number of tasks that will be started`() {
    var bounds = Bounds()
    #expect(bounds.prefetch(0) == 0)
    #expect(bounds.prefetch(7) == 7)
    bounds.count = 3
    #expect(bounds.prefetch(0) == 3)
    #expect(bounds.prefetch(7) == 3)
    #expect(bounds.prefetch(2) == 2)
    bounds.count = 100_000
    #expect(bounds.prefetch(0) == 0)
    #expect(bounds.prefetch(7) == 7)
  }

  @Test func `a run is bounded when any bound is set`() {
    #expect(!Bounds().isBounded)
    let changes: [(inout Bounds) -> Void] = [
      { $0.count = 1 }, { $0.drains = true }, { $0.idleTimeout = .seconds(1) }, { $0.maxTime = .seconds(1) },
    ]
    for change in changes {
      var bounds = Bounds()
      change(&bounds)
      #expect(bounds.isBounded)
    }
  }

  @Test func `expects scheduled retries when they are due within the given time`() {
    var calendar = RetryCalendar()
    let now = Deadline.now
    #expect(!calendar.expects(within: .seconds(3600)))
    #expect(calendar.next() == .never)
    calendar.add(Message(body: [1]), after: .seconds(100))
    calendar.add(Message(body: [2]), after: .seconds(10))
    #expect(calendar.expects(within: .seconds(20)))
    #expect(!calendar.expects(within: .seconds(5)))
    #expect(calendar.next() > now + .seconds(10))
    #expect(calendar.next() < now + .seconds(20))
    #expect(!calendar.expects(within: .seconds(20), from: now + .seconds(30)))
    #expect(calendar.expects(within: .seconds(80), from: now + .seconds(30)))
    #expect(!calendar.expects(within: .seconds(3600), from: now + .seconds(200)))
  }
}

@Suite(.units) struct RetryCalendarTests {
  private func failed(_ body: String, attempts: Int64) -> Message {
    var message = Message(body: Array(body.utf8))
    message.properties.headers = [TaskHeaders.attempts: .int64(attempts)]
    return message
  }

  @Test func `counts a task once when it is scheduled for another retry after its return`() {
    var calendar = RetryCalendar()
    calendar.add(failed("a", attempts: 1), after: .seconds(10))
    calendar.remove(failed("a", attempts: 1))
    calendar.add(failed("a", attempts: 2), after: .seconds(20))
    #expect(calendar.scheduled() == 1)
  }

  @Test func `keeps a scheduled task when another task returns`() {
    var calendar = RetryCalendar()
    calendar.add(failed("a", attempts: 1), after: .seconds(10))
    calendar.remove(failed("b", attempts: 1))
    calendar.remove(failed("a", attempts: 2))
    #expect(calendar.scheduled() == 1)
  }

  @Test func `expects an overdue task for 10 s, and does not count it as scheduled`() {
    let now = Deadline.now
    var calendar = RetryCalendar()
    calendar.add(failed("a", attempts: 1), after: .seconds(5))
    #expect(calendar.scheduled(after: now + .seconds(6)) == 0)
    #expect(calendar.nextExpected(from: now + .seconds(6)) != nil)
    #expect(calendar.nextExpected(from: now + .seconds(16)) == nil)
  }
}

@Suite(.units) struct TaskCountsTests {
  @Test func `counts all tasks as ended except those that were requeued without a failure`() {
    var counts = TaskCounts()
    (counts.done, counts.retried, counts.requeued, counts.parked) = (1, 2, 4, 8)
    (counts.dropped, counts.stale, counts.released) = (16, 32, 64)
    #expect(counts.ended == 63)
  }

  @Test func `groups failures by reason, and counts those beyond 20 reasons together`() {
    var counts = TaskCounts()
    for number in 1...25 { counts.failed(because: "exit status \(number)") }
    counts.failed(because: "exit status 1")
    #expect(counts.failures["exit status 1"] == 2)
    #expect(counts.failures["other reasons"] == 5)
  }
}
