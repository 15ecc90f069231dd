import AMQP
import TestSupport
import Testing

@testable import WorkQueue
@testable import workq

@Suite(.units) struct LiveLineTests {
  private func state(
    done: Int = 0, parked: Int = 0, scheduled: Int = 0, running: Int = 0, waiting: Int? = nil,
    seconds: Int = 0,
    isConnected: Bool = true
  ) -> WorkerState {
    var counts = TaskCounts()
    (counts.done, counts.parked, counts.scheduled) = (done, parked, scheduled)
    return WorkerState(
      address: isConnected ? .localDefault : nil, running: running, prefetched: 0, waiting: waiting,
      counts: counts, attempts: AttemptCounts(), uptime: .seconds(seconds))
  }

  @Test func `the live line shows counts, rate and remaining time as far as they are known`() {
    let line = LiveLine(drains: true)
    #expect(line.line(state(running: 2), columns: 80) == "0 done, 2 running")
    let later = state(done: 1240, parked: 3, scheduled: 2, running: 4, waiting: 2000, seconds: 10)
    #expect(
      line.line(later, columns: 80)
        == "1,240 done, 3 failed, 2 to retry, 4 running, 2,000 waiting, 124/s, 17 s left")
    #expect(line.line(state(isConnected: false), columns: 80) == "not connected, 0 done, 0 running")
  }

  @Test func `the live line computes the rate over the last 10 s`() {
    let line = LiveLine(drains: false)
    for second in 0...30 { _ = line.line(state(done: second * 100, seconds: second), columns: 80) }
    #expect(line.line(state(done: 3000, seconds: 35), columns: 80) == "3,000 done, 0 running, 50/s")
  }

  @Test(arguments: [
    (80, "1,240 done, 3 failed, 2 to retry, 4 running, 20,000 waiting, 124/s, 3 min left"),
    (79, "1,240 done, 3 failed, 2 to retry, 4 running, 20,000 waiting, 124/s, 3 min left"),
    (78, "1,240 done, 3 failed, 2 to retry, 20,000 waiting, 124/s, 3 min left"),
    (50, "1,240 done, 3 failed, 20,000 waiting, 3 min left"),
    (20, "1,240 done"),
    (11, "1,240 done"), (10, "1,240 don"), (1, ""),
  ])
  func `the live line omits values that do not fit and keeps a column free`(columns: Int, text: String) {
    let line = LiveLine(drains: true)
    _ = line.line(state(), columns: 80)
    let later = state(done: 1240, parked: 3, scheduled: 2, running: 4, waiting: 20_000, seconds: 10)
    let shown = line.line(later, columns: columns)
    #expect(shown.count < columns)
    #expect(shown == text)
  }
}
