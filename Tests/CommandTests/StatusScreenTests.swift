import TestSupport
import Testing
import WorkQueue

@testable import AMQP
@testable import workq

@Suite(.units) struct StatusScreenTests {
  private func reading(
    _ name: String, _ role: QueueFamily.Role, _ waiting: UInt32?, _ consumers: UInt32 = 0
  ) -> QueueReading {
    QueueReading(
      member: QueueFamily.Member(name: name, role: role),
      status: waiting.map { Queue.Status(name: name, waiting: $0, consumers: consumers) })
  }

  private func history(_ waiting: [UInt32], consumers: UInt32) -> QueueHistory {
    var history = QueueHistory()
    for (index, count) in waiting.enumerated() {
      history.add(waiting: count, consumers: consumers, at: .seconds(index * 2))
    }
    return history
  }

  private func screen(trouble: String? = nil) -> StatusScreen {
    StatusScreen(
      location: "host:5672/", clock: "20:15:03", interval: .seconds(2),
      readings: [
        reading("task_queue", .work, 1240, 2), reading("task_queue.retry.10000ms", .retry(.seconds(10)), 12),
        reading("task_queue.failed", .failed, 3), reading("gone", .work, nil),
      ],
      histories: [
        "task_queue": history([1000, 1080, 1160, 1240, 1320, 1400], consumers: 2),
        "task_queue.retry.10000ms": history([12, 12, 12, 12, 12, 12], consumers: 0),
        "task_queue.failed": history([0, 0, 0, 1, 2, 3], consumers: 0),
      ],
      trouble: trouble)
  }

  @Test func `the status screen lists each queue with its retry and failed queues, a forecast and notes`() {
    let lines = screen().lines(columns: 80, rows: 24)
    #expect(
      lines.map(\.text) == [
        "host:5672/  20:15:03, every 2 s                                      Ctrl-C ends",
        "",
        "QUEUE              WAITING  CHANGE  CONSUMERS  LAST 10 S",
        "task_queue           1,240   +40/s          2  ▆▆▆▇▇█",
        "  retried in 10 s       12     0/s             ██████",
        "  failed                 3  +0.3/s             ▁▁▁▄▆█",
        "gone               missing",
        "",
        "'task_queue' grows by 40/s: at this rate 24,000 more tasks wait in 10 min",
        "3 tasks are parked: workq peek task_queue.failed shows why",
        "",
        "not counted: tasks that workers hold, retries and delays not named here",
        "not counted: tasks that are moving from a retry or delay queue to the work queue",
      ])
    #expect(lines[0].style == .title)
    #expect(lines[8].style == .warning)
    #expect(lines[11].style == .plain)
    #expect(lines[3].style == .plain)
  }

  @Test func `the status screen shows a connection error before other notes`() {
    let lines = screen(trouble: "connection lost: x; connecting again in 1 s").lines(columns: 80, rows: 24)
    #expect(
      lines[8] == StatusScreen.Line(text: "connection lost: x; connecting again in 1 s", style: .warning))
  }

  @Test func `the status screen fits every terminal size from 1x1 to 130x30`() {
    for columns in 1...130 {
      for rows in 1...30 {
        let lines = screen(trouble: "trouble").lines(columns: columns, rows: rows)
        #expect(lines.count <= rows)
        #expect(lines.allSatisfy { $0.text.count <= columns })
      }
    }
  }

  @Test func `a narrow status screen drops the bars, then the consumers, and keeps counts and rates`() {
    func table(_ columns: Int) -> String { screen().lines(columns: columns, rows: 24)[3].text }
    #expect(table(50) == "task_queue           1,240   +40/s          2")
    #expect(table(40) == "task_queue      1,240   +40/s          2")
    #expect(table(30) == "task_queue       1,240   +40/s")
  }

  @Test func `a short status screen drops the footer, then blank lines, all notes but one, then queues`() {
    func texts(_ rows: Int) -> [String] { screen().lines(columns: 80, rows: rows).map(\.text) }
    #expect(texts(12).count == 10)
    #expect(!texts(12).contains { $0.hasPrefix("not counted") })
    #expect(texts(8).count == 8)
    #expect(!texts(8).contains(""))
    #expect(texts(8)[1].hasPrefix("QUEUE"))
    #expect(texts(7).count == 7)
    #expect(texts(7)[6].hasPrefix("'task_queue' grows"))
    #expect(texts(5)[3] == "… and 3 more")
  }

  @Test func `a spark line scales from 0 to the highest value`() {
    #expect(SparkLine.draw([]) == "")
    #expect(SparkLine.draw([nil, 0, 0]) == " ▁▁")
    #expect(SparkLine.draw([0, 1, 50, 100]) == "▁▂▅█")
    #expect(SparkLine.draw([.max, 1]) == "█▂")
  }
}

@Suite(.units) struct ForecastTests {
  private func sentence(_ waiting: [UInt32], consumers: UInt32 = 1) -> String? {
    var history = QueueHistory()
    for (index, count) in waiting.enumerated() {
      history.add(waiting: count, consumers: consumers, at: .seconds(index * 2))
    }
    return Forecast.sentence(
      queue: "q", waiting: waiting.last ?? 0, consumers: consumers, history: history)
  }

  @Test func `reports a non-empty queue without consumers from the first reading`() {
    #expect(sentence([5], consumers: 0) == "'q' has no consumers")
    #expect(sentence([0], consumers: 0) == nil)
    #expect(sentence([5]) == nil)
  }

  @Test func `forecasts growth after 8 s of readings, but not after 4 s`() {
    #expect(sentence([0, 80, 160]) == nil)
    #expect(
      sentence([0, 80, 160, 240, 320]) == "'q' grows by 40/s: at this rate 24,000 more tasks wait in 10 min")
    #expect(sentence([0, 80, 160, 240, 320], consumers: 0) == "'q' grows by 40/s, and has no consumers")
  }

  /// The consumers' rate is known only after the queue has shrunk.
  @Test func `forecasts growth in hours of work when the consumers' rate is known`() {
    let emptied: [UInt32] = [1000, 980, 960, 940, 920, 900]
    #expect(
      sentence(emptied + (1...12).map { 900 + $0 * 80 })
        == "'q' grows by 40/s: at this rate 1 h of work is waiting in 14 min")
    #expect(
      sentence(emptied + (1...12).map { 900 + $0 * 8000 })
        == "'q' grows by 4,000/s: more than 1 h of work is waiting")
  }

  @Test func `forecasts when a shrinking queue will be empty`() {
    #expect(sentence([1000, 980, 960, 940, 920, 900]) == "'q' shrinks by 10/s: empty in 90 s")
    #expect(sentence([50, 40, 30, 20, 10, 0]) == nil)
    #expect(
      sentence([4_000_000_000, 3_999_999_999, 3_999_999_998, 3_999_999_997, 3_999_999_996])
        == "'q' shrinks by 0.5/s: empty in more than a month")
  }
}

@Suite(.units) struct NumberFormatTests {
  @Test func `formats numbers, rates and durations in short form`() {
    #expect(
      [0, 999, 1000, 1_204_000].map { NumberFormat.grouped($0) } == ["0", "999", "1,000", "1,204,000"])
    #expect(NumberFormat.grouped(-1000) == "-1,000")
    #expect(
      [0, 0.04, 0.05, 1, 1.26, 9.96, 40.4, 1e30].map { NumberFormat.rate($0) } == [
        "0/s", "0/s", "0.1/s", "1/s", "1.3/s", "10/s", "40/s", "1,000,000,000,000/s",
      ])
    #expect([-1.5, 0, 2, -0.01].map { NumberFormat.change($0) } == ["-1.5/s", "0/s", "+2/s", "0/s"])
    let times: [Double] = [0.02, 0.5, 1.25, 9.97, 40, 119, 120, 3569, 3600, 5400, 7200, 86_400, 500_000]
    #expect(
      times.map { Duration.seconds($0).formatted } == [
        "20 ms", "0.5 s", "1.3 s", "10 s", "40 s", "119 s", "2 min", "59 min", "1 h", "1.5 h", "2 h", "24 h",
        "6 d",
      ])
  }

  @Test func `sizes columns to their widest cell, and shortens text in the middle`() {
    #expect(Table.lines([["a", "b", "c"], ["long", "1"]], [.left, .right]) == ["a     b  c", "long  1"])
    #expect("abcdefgh".shortened(to: 5) == "ab…gh")
    #expect("abc".shortened(to: 3) == "abc")
    #expect("abc".shortened(to: 1) == "a")
    #expect("abc".shortened(to: 0) == "")
  }

  @Test func `move reports its progress`() {
    #expect(MoveReport.line(5, of: 10, after: .milliseconds(100)) == "5 of 10 moved")
    #expect(MoveReport.line(1200, of: 2400, after: .seconds(12)) == "1,200 of 2,400 moved, 100/s, 12 s left")
  }

  @Test func `quotes words for the shell, and escapes control characters for display`() {
    #expect(Quoted.shellWord("task_queue.failed") == "task_queue.failed")
    #expect(Quoted.shellWord("a b") == "'a b'")
    #expect(Quoted.shellWord("") == "''")
    #expect(Quoted.shellWord("it's") == #"'it'\''s'"#)
    #expect(Quoted.plain("a\u{1b}[2J\nb") == #"a\x1b[2J\nb"#)
  }
}
