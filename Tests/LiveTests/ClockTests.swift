import Foundation
import TestSupport
import Testing

/// Waits do not depend on the wall clock: deadlines use CLOCK_MONOTONIC only.
@Suite(.waiting) struct ClockTests {
  /// The kernel can wait for a duration or until an absolute time, which could follow the wall clock.
  @Test func `the worker waits for durations only, never until a wall-clock time`() throws {
    let queue = freshQueue("clock")
    let trace = FileManager.default.temporaryDirectory.appending(path: "workq-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: trace) }
    let calls = "poll,ppoll,select,pselect6,epoll_wait,nanosleep,clock_nanosleep,futex,timer_create,"
    let strace = ["-f", "-q", "-o", trace, "-e", "trace=\(calls)timerfd_create,setitimer,clock_gettime"]
    try publish(["bad", "."], to: queue)
    var program = worker(
      queue,
      [
        "--count", "3", "--retry-delay", "300ms", "--timeout", "20s", "--heartbeat", "1s", "--idle-timeout",
        "5s",
      ],
      script: "read n; if [ $n = bad ]; then exit $((WORKQ_ATTEMPT == 1)); fi")
    program.arguments = strace + [program.path] + program.arguments
    program.path = "/usr/bin/strace"
    try expect(program.run().status, equals: 0)
    // The trace includes the worker's children (-f). sh waits for nothing but its children.
    let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    #expect(lines.contains { $0.contains("poll(") }, "the trace shows something")
    for line in lines {
      #expect(!line.contains("CLOCK_REALTIME"), "\(line)")
      #expect(!line.contains("TIMER_ABSTIME"), "\(line)")
    }
  }
}
