import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct LastFailureTests {
  @Test(
    arguments: [
      (["x-workq-exit-status": .int64(2), "x-workq-reason": .text("exit status 2")], "exit status 2"),
      (["x-workq-exit-status": .int64(2), "x-workq-reason": .text("no such host")], "no such host"),
      (["x-workq-signal": .int64(9), "x-workq-reason": .text("ended by signal 9")], "killed by SIGKILL"),
      (["x-workq-reason": .text("ended after its time limit of 300.0 s")], "timed out after 5 min"),
      (["x-workq-reason": .text("timed out after 5 min")], "timed out after 5 min"),
      (
        ["x-workq-reason": .text("its workers died: 5 recorded starts")],
        "its workers died: 5 recorded starts"
      ),
      ([:], nil),
    ] as [(FieldTable, String?)])
  func `reads the reason from the headers of any version`(headers: FieldTable, reason: String?) {
    #expect(LastFailure(headers).reason == reason)
  }

  @Test func `takes the reason from the latest x-death entry when no worker recorded a reason`() {
    let deaths = ["rejected", "expired"].map { reason in
      FieldValue.table(["reason": .text(reason), "queue": .text("mail"), "time": .timestamp(7)])
    }
    let failure = LastFailure(["x-death": .array(deaths)])
    #expect(failure.reason == "rejected by a consumer of 'mail'")
    #expect(failure.time == 7)
  }
}

@Suite(.units) struct FailureSummaryTests {
  private func task(_ reason: String, at time: UInt64) -> Delivery {
    var message = Message(body: Array("\(time)".utf8))
    message.properties.headers = ["x-workq-reason": .text(reason), "x-workq-last-failure": .timestamp(time)]
    return Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: false, exchange: "", routingKey: "q",
      message: message)
  }

  @Test func `counts tasks by reason with their first and last time, and samples the latest task`() throws {
    var summary = FailureSummary()
    for (reason, time) in [("a", 5), ("b", 7), ("b", 9), ("b", 6)] as [(String, UInt64)] {
      summary.add(task(reason, at: time))
    }
    #expect(summary.groups.map(\.reason) == ["b", "a"])
    let group = try #require(summary.groups.first)
    #expect(group.tasks == 3)
    #expect(group.first == 6)
    #expect(group.last == 9)
    #expect(group.sample.message.body == Array("9".utf8))
  }

  @Test func `counts all reasons beyond the first 100 together`() {
    var summary = FailureSummary()
    for number in 0..<130 { summary.add(task("\(number)", at: 1)) }
    #expect(summary.groups.count == 100)
    #expect(summary.others == 30)
  }
}
