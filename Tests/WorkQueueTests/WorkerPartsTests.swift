import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct TimersTests {
  @Test func `returns due timers in order of time when they were set in random order`() {
    var (timers, random) = (Timers(), SeededRandom(seed: 3))
    let start = Deadline.now
    let times = (0..<500).map { _ in Int.random(in: 0..<1000, using: &random) }
    for (id, time) in times.enumerated() { timers.set(start + .seconds(time), for: id) { _ in true } }
    #expect(timers.next == start + .seconds(times.min() ?? 0))
    var found: [Int] = []
    while let id = timers.popDue(start + .seconds(600)) { found.append(times[id]) }
    #expect(found == times.filter { $0 <= 600 }.sorted())
  }

  @Test func `removes the timers that are no longer needed when they are the majority`() {
    var timers = Timers()
    let start = Deadline.now
    for id in 0..<100_000 { timers.set(start + .seconds(100_000 - id), for: id) { $0 > id - 10 } }
    var count = 0
    while timers.popDue(.never) != nil { count += 1 }
    #expect(count <= 1100)
    #expect(count >= 10)
  }

  @Test func `ignores a timer without a deadline`() {
    var timers = Timers()
    timers.set(.never, for: 1) { _ in true }
    #expect(timers.next == .never)
    let due = timers.popDue(.now)
    #expect(due == nil)
  }
}

@Suite(.units) struct InboxTests {
  private func task(_ number: UInt64, bytes: Int = 0) -> ReceivedTask {
    let delivery = Delivery(
      tag: Delivery.Tag(session: 1, number: number), isRedelivered: false, exchange: "", routingKey: "q",
      message: Message(body: [UInt8](repeating: 0, count: bytes)))
    return ReceivedTask(delivery: delivery, received: .now)
  }

  @Test func `the inbox has room until it holds 16 MiB, and again when tasks are removed`() {
    var inbox = Inbox()
    for number in 1...3 { inbox.append(task(UInt64(number), bytes: 6 << 20)) }
    #expect(!inbox.hasRoom)
    _ = inbox.popFirst()
    #expect(inbox.hasRoom)
    inbox.append(task(4, bytes: 40 << 20))
    #expect(!inbox.hasRoom)
    inbox.remove { $0.delivery.tag.number == 4 }
    #expect(inbox.hasRoom)
    #expect(inbox.count == 2)
  }

  @Test func `the inbox limits the number of empty tasks`() {
    var inbox = Inbox()
    var number: UInt64 = 0
    while inbox.hasRoom, number < 1_000_000 {
      number += 1
      inbox.append(task(number))
    }
    #expect(number < 50_000)
  }

  @Test func `the inbox returns tasks that were put back before all others`() {
    var inbox = Inbox()
    for number in 1...4 { inbox.append(task(UInt64(number))) }
    let first = [inbox.popFirst(), inbox.popFirst()].compactMap { $0 }
    inbox.putBack(first)
    var order: [UInt64] = []
    while let task = inbox.popFirst() { order.append(task.delivery.tag.number) }
    #expect(order == [1, 2, 3, 4])
  }
}

@Suite(.units) struct ShutdownTests {
  private static let failure = StopReason.failure(AMQPError(.accessRefused, "publish", "no"))

  @Test(
    arguments: [
      ([.bound, .bound], .bound, [true, false]), ([.bound, .signal(15)], .signal(15), [true, true]),
      ([.signal(15), .bound], .signal(15), [true, false]),
      ([.signal(2), .signal(15)], .signal(2), [true, false]),
      ([.bound, failure, .signal(15)], failure, [true, false, true]),
      ([.signal(15), failure], failure, [true, false]),
    ] as [([StopReason], StopReason, [Bool])])
  func `keeps the most severe reason, and reports the first reason and the first signal`(
    reasons: [StopReason], reason: StopReason, areNews: [Bool]
  ) {
    var shutdown = Shutdown()
    let answers = reasons.map { shutdown.begin($0, grace: nil) }
    #expect(shutdown.reason == reason)
    #expect(answers == areNews)
  }

  @Test func `reports the end of the grace period once after a signal, and never after a bound`() {
    var bound = Shutdown()
    _ = bound.begin(.bound, grace: .zero)
    let boundEnds = bound.endsGrace()
    #expect(!boundEnds)
    var signal = Shutdown()
    _ = signal.begin(.signal(15), grace: .zero)
    let ends = [signal.endsGrace(), signal.endsGrace()]
    #expect(ends == [true, false])
  }
}

@Suite(.units) struct FloodTests {
  @Test func `reads a bounded part of a large output in a single turn`() throws {
    let output = try CommandOutput(.tagged, number: 1, in: "/tmp")
    let pipe = output.writeEnds.stdout
    let size = fcntl(pipe, 1031, Int32(1 << 20))  // F_SETPIPE_SZ
    try #require(size >= 1 << 20)
    let line = Array(String(repeating: "x", count: 1023).utf8) + [0x0a]
    for _ in 0..<1024 { try #require(line.withUnsafeBytes { write(pipe, $0.baseAddress, $0.count) } == 1024) }
    var read = 0
    output.readLines { _, bytes in read += bytes.count { $0 == 0x78 } }
    #expect(read > 0)
    #expect(read <= 1 << 18)
  }
}

@Suite(.units) struct ThrottleTests {
  private func throttle(_ rate: Throttle.Rate? = nil, pauseAfter: Int? = nil) -> Throttle {
    var policy = RetryPolicy()
    (policy.delay, policy.maxDelay) = (.seconds(100), .seconds(300))
    return Throttle(rate, pauseAfter: pauseAfter, policy)
  }

  @Test(arguments: [(10, 1, 10), (600, 60, 10), (1, 1, 1), (5, 3600, 1)])
  func `starts at most the tasks of one second at once`(tasks: Int, seconds: Int, burst: Int) {
    var throttle = throttle(Throttle.Rate(tasks, in: .seconds(seconds)))
    var count = 0
    while throttle.mayBegin, count < 1000 {
      count += 1
      throttle.began(count)
    }
    #expect(count == burst)
    #expect(throttle.nextDeadline > .now)
  }

  @Test func `limits the prefetch to 60 s of tasks, and stops consuming before a longer wait`() {
    var slow = throttle(Throttle.Rate(1, in: .seconds(3600)))
    #expect(!slow.holds)
    slow.began(1)
    #expect(slow.holds)
    var quick = throttle(Throttle.Rate(2, in: .seconds(60)))
    quick.began(1)
    #expect(!quick.holds)
    #expect(Throttle.Rate(2, in: .seconds(60)).prefetch == 2)
    #expect(Throttle.Rate(1, in: .seconds(3600)).prefetch == 1)
    #expect(Throttle.Rate(100, in: .seconds(1)).prefetch == 6000)
  }

  @Test func `pauses after failures in a row, then tries a single task and doubles the delay`() {
    var throttle = throttle(pauseAfter: 3)
    let first = [false, false, true, false, false].enumerated().map {
      throttle.ended($0.offset, isSuccess: $0.element)
    }
    #expect(first == [nil, nil, nil, nil, nil])
    let third = throttle.ended(6, isSuccess: false)
    #expect(third == .paused(failures: 3, .seconds(100)))
    #expect(!throttle.mayBegin)
    #expect(throttle.holds)
    let other = throttle.ended(7, isSuccess: false)
    #expect(other == nil, "one that ran already changes nothing")
    throttle.began(8)
    #expect(throttle.isProbe(8))
    let probe = throttle.ended(8, isSuccess: false)
    #expect(probe == .paused(failures: 5, .seconds(200)))
    throttle.began(9)
    let success = throttle.ended(9, isSuccess: true)
    #expect(success == .resumed)
    #expect(throttle.mayBegin)
  }
}
