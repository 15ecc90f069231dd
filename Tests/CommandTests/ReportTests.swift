import AMQP
import TestSupport
import Testing
import WorkQueue

@testable import workq

@Suite(.units) struct TallyTests {
  private let full = PublishFailure(.refused, "full")

  private func tally(_ failures: [(Int, PublishFailure)]) -> Tally {
    var tally = Tally()
    for (number, failure) in failures { tally.failed(number, failure) }
    return tally
  }

  @Test(arguments: [
    ([1], "record 1"), ([1, 2], "records 1-2"), ([2, 5, 6, 7], "records 2, 5-7"),
    ([3, 1, 2], "records 3, 1-2"), (Array(1...1000), "records 1-1000"),
    (Array(stride(from: 1, to: 25, by: 2)), "records 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and 2 more"),
  ])
  func `lists record numbers as ranges, and truncates a long list`(numbers: [Int], ranges: String) {
    let tally = tally(numbers.map { ($0, full) })
    #expect(tally.failures == "\(ranges) (full)")
    #expect(tally.failed == numbers.count)
  }

  @Test func `lists failed records by reason`() {
    let tally = tally([(1, full), (2, PublishFailure(.refused, "bad")), (3, full)])
    #expect(tally.failures == "records 1, 3 (full); record 2 (bad)")
    #expect(tally.first == full)
  }

  @Test func `lists ten reasons, and counts the failures with other reasons`() {
    let tally = tally((1...13).map { ($0, PublishFailure(.refused, "reason \($0)")) })
    #expect(tally.failures.hasSuffix("record 10 (reason 10); 3 more for other reasons"))
    #expect(tally.failed == 13)
  }

  @Test func `reports the first unreadable input`() {
    var tally = Tally()
    tally.unreadable(.standardInput, "it broke")
    tally.unreadable(.file("a"), "gone")
    #expect(tally.unreadable?.message == "cannot read stdin: it broke")
    #expect(tally.unreadable?.status == .ioError)
  }
}

@Suite(.units) struct PublishSummaryTests {
  private func failure(isBatch: Bool = true, _ change: (inout Tally) -> Void) -> Failure? {
    var tally = Tally()
    change(&tally)
    var address = Address.localDefault
    (address.host, address.port, address.vhost) = ("h", 1, "v")
    return PublishSummary(tally, at: [address], isBatch: isBatch).failure
  }

  private let lost = AMQPError(.lost, "read from the broker", "the other side closed the connection")

  @Test func `reports no failure when all tasks are published or spooled`() {
    for path in [\Tally.published, \Tally.kept] {
      let found = failure { $0[keyPath: path] = 3 }
      #expect(found == nil)
    }
  }

  @Test func `the exit status is 3 for a partly published batch, otherwise that of the first failure`() {
    let refuse: (inout Tally) -> Void = { $0.failed(2, PublishFailure(.refused, "full")) }
    let refused = failure(refuse)
    #expect(refused?.status == .dataError)
    #expect(refused?.message == "h:1/v: 0 published, 1 not: record 2 (full)")
    let partly = failure {
      $0.published = 7
      refuse(&$0)
    }
    #expect(partly?.status == .partial)
    #expect(partly?.message == "h:1/v: 7 published, 1 not: record 2 (full)")
    for (kind, status) in [(.noQueue, .configuration), (.connection(.timedOut), .temporary)]
      as [(PublishFailure.Kind, workq.ExitStatus)]
    {
      let found = failure { $0.failed(1, PublishFailure(kind, "so")) }
      #expect(found?.status == status)
    }
  }

  @Test func `the summary names the cause, the remedy and the first record that was not read`() {
    let ended = failure {
      $0.end = lost
      $0.failed(1, PublishFailure(.connection(.lost), "gone"))
      $0.firstUnread = 2
    }
    #expect(ended?.status == .unavailable)
    #expect(
      ended?.message == """
        h:1/v: 0 published, 1 not: cannot read from the broker: the other side closed the connection (try \
        again later): record 1 (gone): record 2 and what follows was not read
        """)
    let single = failure(isBatch: false) { $0.end = lost }
    #expect(single?.status == .unavailable)
  }

  @Test func `the advice for a missing exchange differs from that for a missing queue`() {
    let exchange = Failure(AMQPError(.notFound, "publish", "NOT_FOUND - no exchange 'x'"), at: "h")
    #expect(exchange.message.contains("check the exchange's name"))
    #expect(!exchange.message.contains("declare"))
    let queue = Failure(AMQPError(.notFound, "publish to queue 'q'", "it does not exist"), at: "h")
    #expect(queue.message.contains("'workq declare' creates a queue"))
  }
}

@Suite(.units) struct ProgressTests {
  private func line(_ published: Int, _ read: Int, _ total: Int?, seconds: Double) -> String {
    Progress(totalBytes: total).line(published: published, bytesRead: read, elapsed: .seconds(seconds))
  }

  @Test func `the progress line shows count, rate, percentage and remaining time as far as they are known`() {
    #expect(line(0, 0, nil, seconds: 0) == "0 published")
    #expect(line(12_345, 0, nil, seconds: 2) == "12,345 published, 6,172/s")
    #expect(line(50, 500, 1000, seconds: 10) == "50 published, 5/s, 50 %, 10 s left")
    #expect(line(50, 5, 1000, seconds: 10) == "50 published, 5/s, 0 %")
    #expect(line(50, 2000, 1000, seconds: 10) == "50 published, 5/s, 100 %, 0 s left")
    #expect(line(1, 0, 0, seconds: 0.2) == "1 published")
  }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567"),
    (100_000, "100,000"),
  ])
  func `separates thousands by commas`(number: Int, text: String) {
    #expect(NumberFormat.grouped(number) == text)
  }
}
