import Foundation
import TestSupport
import Testing

/// No change of the wall clock moves a wait: only CLOCK_MONOTONIC is asked when something is due.
@Suite(.ownThreads) struct ClockTests {
  /// The only places that ask for the time of day, and what for.
  private static let uses = [
    "AMQP/Deadline.swift": "CLOCK_MONOTONIC",
    "WorkQueue/Publishing/Disk.swift": "the names of spooled files",
    "WorkQueue/Working/Worker+Tasks.swift": "the header that says when a task failed",
    "workq/TaskTemplate.swift": "a task's timestamp",
    "workq/Terminal.swift": "the time on the status screen",
    "workq/WorkReport+JSON.swift": "a log line's time",
    "workq/StatusReport.swift": "a log line's time",
  ]

  @Test func `only what is shown or sent is from the wall clock`() throws {
    let directory = "\(TestEnvironment.repository)/Sources"
    let files = try #require(FileManager.default.enumerator(atPath: directory)).compactMap { $0 as? String }
    var found: Set<String> = []
    for file in files where file.hasSuffix(".swift") {
      let text = try String(contentsOfFile: "\(directory)/\(file)", encoding: .utf8)
      let calls =
        #/\b(clock_gettime|gettimeofday|time\(nil\)|time\(&|Date\.now|Date\(\)|\w+Clock\b(\.now|\())/#
      if text.contains(calls) { found.insert(file) }
    }
    #expect(found == Set(Self.uses.keys))
    let deadline = try String(contentsOfFile: "\(directory)/AMQP/Deadline.swift", encoding: .utf8)
    #expect(deadline.ranges(of: "clock_gettime").count == 1)
    #expect(deadline.contains("clock_gettime(CLOCK_MONOTONIC"))
  }

  /// The kernel's waits are for so long, or until a moment: the second would follow the wall clock.
  @Test func `the kernel is asked to wait for so long, never until a time of day`() throws {
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
    #expect(try program.run().status == 0)
    // Its children are traced with it, so what they call counts, too; sh and true wait for nothing but children.
    let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    #expect(lines.contains { $0.contains("poll(") }, "the trace shows something")
    for line in lines {
      #expect(!line.contains("CLOCK_REALTIME"), "\(line)")
      #expect(!line.contains("TIMER_ABSTIME"), "\(line)")
    }
  }
}
