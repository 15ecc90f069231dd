import AMQP
import TestSupport
import Testing

@testable import WorkQueue
@testable import workq

@Suite(.units) struct TaskLineTests {
  private func task(_ body: String = "resize cat.jpg") -> Delivery {
    var message = Message(body: Array(body.utf8))
    message.properties.messageID = "0b5c4a1e-7d55-4d1f-9e0e-0c7b1a8f5b3a"
    message.properties.headers = [
      "x-workq-attempts": .int64(5), "x-workq-reason": .text("exit status 2"),
      "x-workq-last-failure": .timestamp(1000),
    ]
    return Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: false, exchange: "", routingKey: "q",
      message: message)
  }

  @Test func `a task line has all columns when the output is not a terminal`() {
    let line = TaskLine(width: nil, now: 1000 + 7200)
    let cells = ["0b5c4a1e-7d55-4d1f-9e0e-0c7b1a8f5b3a", "    2 h", "       5", "exit status 2     "]
    #expect(line.line(task()) == (cells + ["'resize cat.jpg'"]).joined(separator: "  "))
  }

  @Test(arguments: [80, 50, 20]) func `a task line is no wider than the terminal`(width: Int) {
    let line = TaskLine(width: width, now: 2000)
    #expect(line.line(task(String(repeating: "x", count: 300))).count == width)
    #expect(line.heading.count <= width)
  }

  @Test func `truncates a body after 40 characters, never inside a character`() {
    let body = String(repeating: "é", count: 41)
    #expect(TaskLine.beginning(of: Array(body.utf8)) == "'\(String(repeating: "é", count: 40))'…")
    #expect(TaskLine.beginning(of: Array("short".utf8)) == "'short'")
    #expect(TaskLine.beginning(of: [0xff]) == #"b'\xff'"#)
  }

  @Test(arguments: [
    ("cat.jpg", "cat.jpg"), ("cat.jpg\n", "cat.jpg"), ("", "(empty)"), ("\n", "(empty)"),
    ("a\nb\tc\r\n", #"a\nb\tc\r"#), ("\u{1b}[2Jx\u{202e}", #"\x1b[2Jx\u202e"#), ("it's", "it's"),
    ("grün", "grün"),
    (String(repeating: "x", count: 40), String(repeating: "x", count: 40)),
    (String(repeating: "x", count: 41), String(repeating: "x", count: 40) + "…"),
    (String(repeating: "é", count: 300), String(repeating: "é", count: 40) + "…"),
  ])
  func `names a task by the first 40 characters of its body, on one line`(body: String, name: String) {
    #expect(TaskLine.name(of: Array(body.utf8)) == name)
  }

  @Test func `names a task by escaped bytes when its body is not UTF-8`() {
    #expect(TaskLine.name(of: [0xff, 0x0a, 0x41]) == #"b'\xff\nA'"#)
    let long = TaskLine.name(of: [UInt8](repeating: 0xfe, count: 1 << 20))
    #expect(long == "b'\(String(repeating: #"\xfe"#, count: 40))'…")
  }
}

@Suite(.units) struct FailedReportTests {
  private func report() -> FailedReport {
    var summary = FailureSummary()
    var message = Message(body: Array("cat.jpg".utf8))
    message.properties.headers = [
      "x-workq-exit-status": .int64(2), "x-workq-last-failure": .timestamp(1_700_000_000),
      "x-workq-stderr": .text("warning\nno such file\n"),
    ]
    summary.add(
      Delivery(
        tag: Delivery.Tag(session: 1, number: 1), isRedelivered: false, exchange: "", routingKey: "q",
        message: message))
    return FailedReport(queue: "q.failed", summary: summary)
  }

  @Test func `prints a row for a failure reason, with a sample task below it`() {
    #expect(
      report().lines(width: nil) == [
        "TASKS  REASON         FIRST                 LAST",
        "    1  exit status 2  2023-11-14T22:13:20Z  2023-11-14T22:13:20Z", "       'cat.jpg': no such file",
      ])
  }

  @Test func `omits the FIRST column when the terminal is narrow`() {
    #expect(report().lines(width: 50)[0] == "TASKS  REASON         LAST")
  }

  @Test func `prints a failure reason as a JSON object with its times, number of tasks and a sample`() {
    #expect(
      report().json().map(\.line) == [
        #"{"error":"exit status 2","exit_status":2,"first_time":"2023-11-14T22:13:20Z","#
          + #""last_time":"2023-11-14T22:13:20Z","queue":"q.failed","sample":{"attempt":0,"body":"cat.jpg","#
          + #""stderr":"warning\nno such file\n"},"tasks":1}"#
      ])
  }
}
