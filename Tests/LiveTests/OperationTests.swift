import Foundation
import TestSupport
import Testing

/// Monitoring of workers by systemd, journal and metrics, and limits on their rate.
@Suite(.waiting) struct OperationTests {
  private let queue = freshQueue("operation")

  /// A temporary directory that is removed after the test.
  private final class Directory {
    let path = FileManager.default.temporaryDirectory.appending(path: "workq-operation-\(UUID().uuidString)")
      .path

    init() throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  // MARK: systemd

  /// The notification socket of a service manager, and the messages that it received.
  private final class ServiceSocket {
    private let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    private let lock = NSLock()
    private var messages: [String] = []

    init(at path: String) throws {
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try #require(result == 0)
    }

    deinit { close(descriptor) }

    /// All messages so far.
    var told: [String] {
      lock.withLock {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
          let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
          guard count > 0 else { return messages }
          messages += String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").map(
            String.init)
        }
      }
    }
  }

  @Test func `the worker notifies systemd of readiness, status, watchdog and stopping`() throws {
    let directory = try Directory()
    let socket = try ServiceSocket(at: "\(directory.path)/notify")
    try publish(["good", "bad"], to: queue)
    var program = worker(
      queue, ["--on-failure", "park"],
      script: "[ -z \"$NOTIFY_SOCKET$WATCHDOG_USEC\" ] || exit 9; read -r t; [ $t = good ]")
    program.environment["NOTIFY_SOCKET"] = "\(directory.path)/notify"
    program.environment["WATCHDOG_USEC"] = "400000"
    let running = try program.start()
    let status = "STATUS=connected to 127.0.0.1:\(Broker.shared.port)/, 0 running, 1 done, 1 parked"
    try waitUntil("the status has the counters, not \(socket.told)") { socket.told.contains(status) }
    #expect(socket.told.first == "READY=1")
    let before = socket.told.count { $0 == "WATCHDOG=1" }
    try waitUntil("the idle worker notifies the watchdog") {
      socket.told.count { $0 == "WATCHDOG=1" } >= before + 5
    }
    running.signal(SIGSTOP)
    try waitUntil("the worker is suspended") {
      let state = try String(contentsOfFile: "/proc/\(running.pid)/stat", encoding: .utf8)
      return state.contains(") T ")
    }
    let stopped = socket.told.count
    usleep(1_000_000)
    #expect(socket.told.count == stopped, "a worker that stands still feeds no watchdog")
    running.signal(SIGCONT)
    running.signal(SIGTERM)
    try expect(running.end().status, equals: 0)
    #expect(socket.told.contains("STOPPING=1"))
  }

  @Test func `the worker notifies the watchdog during a long task`() throws {
    let directory = try Directory()
    let socket = try ServiceSocket(at: "\(directory.path)/notify")
    try publish(["long"], to: queue)
    var program = worker(queue, ["-v"], script: "sleep 600")
    program.environment["NOTIFY_SOCKET"] = "\(directory.path)/notify"
    program.environment["WATCHDOG_USEC"] = "200000"
    let running = try program.start()
    try running.waitForStart(of: 1)
    try waitUntil("the worker notifies the watchdog") { socket.told.count { $0 == "WATCHDOG=1" } >= 10 }
    running.signal(SIGTERM)
    try running.waitForError("finishing 1 running task")
    running.signal(SIGTERM)
    try expect(running.end().status, equals: 143)
  }

  @Test func `prefixes messages with syslog priorities only when stderr is the journal`() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "workq-journal-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: file) }
    try publish(["a"], to: queue)
    // JOURNAL_STREAM identifies the file on stderr, as systemd identifies the journal's socket.
    let script = """
      exec 2>"$2"; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) "$0" work -q "$1" --drain -v -- false; exit 0
      """
    try expect(
      Program("/bin/sh", ["-c", script, TestEnvironment.binary, queue, file]).run().status, equals: 0)
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("<7>workq: [1] a: started") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("<4>workq: [1] a: attempt 1 of 5 failed") }, "\(lines)")
    #expect(lines.allSatisfy { $0.wholeMatch(of: /<[3467]>workq: .*/) != nil }, "\(lines)")
    let plain = try worker(queue, ["--drain", "--idle-timeout", "1s"], script: "true").run()
    #expect(!plain.error.contains("<"))
  }

  // MARK: Metrics

  @Test func `writes metrics that promtool accepts, and refuses a file that another worker writes`() throws {
    let directory = try Directory()
    let file = "\(directory.path)/work.prom"
    try publish(["good", "bad", "good"], to: queue)
    let options = ["--metrics", file, "--worker-name", "a \"b\"", "--on-failure", "park"]
    let running = try worker(queue, options, script: "read -r t; [ $t = good ]").start()
    try running.waitForError("[3] good: done")
    // Its attempts are used up, so that it is parked without a run.
    try expect(
      Program.workq("publish", "-q", queue, "-H", "x-workq-attempts:=9", "old").run().status, equals: 0)
    try running.waitForError("[4] old:")
    let second = try worker(queue, ["--metrics", file], script: "true").run()
    #expect(second.status == 73)
    #expect(second.error.contains("another worker writes it"), "\(second.error)")
    running.signal(SIGTERM)
    try expect(running.end().status, equals: 0)
    let text = try String(contentsOfFile: file, encoding: .utf8)
    let labels = #"queue="\#(queue)",worker="a \"b\"""#
    #expect(text.contains(#"workq_tasks_total{\#(labels),outcome="done"} 2"#), "\(text)")
    #expect(text.contains(#"workq_tasks_total{\#(labels),outcome="parked"} 2"#), "\(text)")
    #expect(text.contains(#"workq_attempts_total{\#(labels)} 3"#), "\(text)")
    #expect(text.contains(#"workq_run_seconds_bucket{\#(labels),le="+Inf"} 3"#), "\(text)")
    #expect(text.contains(#"workq_run_seconds_count{\#(labels)} 3"#), "\(text)")
    #expect(text.contains(#"workq_connected{\#(labels)} 0"#), "\(text)")
    let checked = try Program(
      "\(TestEnvironment.repository)/.build/prometheus/usr/bin/promtool", ["check", "metrics"]
    ).run(input: Array(text.utf8))
    #expect(checked.status == 0, "\(checked.output)\(checked.error)")
    #expect(checked.error == "")
  }

  @Test func `exits with 73 and leaves the task in the queue when metrics cannot be written`() throws {
    try publish(["a"], to: queue)
    let result = try worker(queue, ["--metrics", "/nonexistent/x.prom"], script: "true").run()
    #expect(result.status == 73)
    #expect(result.error.contains("cannot write metrics to '/nonexistent/x.prom"), "\(result.error)")
    try expectWaiting(in: queue, equals: 1)
  }

  // MARK: Rate limits and pauses

  @Test func `starts no more tasks than --rate allows with 16 parallel jobs`() throws {
    try publish((1...200).map { "\($0)" }, to: queue)
    let running = try Program.workq(
      "work", "-q", queue, "--fake", "--rate", "20/s", "-j", "16", "--prefetch", "0", "--log", "json"
    ).start()
    try waitUntil("100 tasks have started") { running.error.ranges(of: "\"started\"").count >= 100 }
    running.signal(SIGTERM)
    try expect(running.end().status, equals: 0)
    let times = running.error.matches(of: /"event":"started".*?"time":"([^"]+)"/).map { String($0.1) }
    let seconds = try times.map { try #require(Self.seconds($0)) }
    let start = try #require(seconds.first)
    // At most the burst of one second plus what the rate allows; the times are in whole seconds.
    for (index, second) in seconds.enumerated() {
      #expect(Double(index) <= 20 + (second - start + 1) * 20, "task \(index + 1) after \(second - start) s")
    }
  }

  private static func seconds(_ time: String) -> Double? {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    let plain = ISO8601DateFormatter()
    return (formatter.date(from: time) ?? plain.date(from: time))?.timeIntervalSince1970
  }

  @Test func `leaves tasks available to other consumers when --rate does not allow them to start`() throws {
    try publish(["a", "b", "c"], to: queue)
    let running = try worker(queue, ["--rate", "1/h", "-j", "3"], script: "cat; echo").start()
    try running.waitForOutput("a")
    try waitUntil("the others are available to other consumers") {
      try waiting(in: queue) == 2 && consumers(of: queue) == 0
    }
    running.signal(SIGTERM)
    try expect(running.end().status, equals: 0)
    try expectWaiting(in: queue, equals: 2)
  }

  @Test func `parks no task during an outage, tries one task at a time, and resumes afterwards`() throws {
    let directory = try Directory()
    let (gate, log) = ("\(directory.path)/up", "\(directory.path)/log")
    let tasks = (1...40).map { "\($0)" }
    try publish(tasks, to: queue)
    let options = [
      "-j", "4", "--pause-after", "3", "--max-attempts", "2", "--retry-delay", "200ms", "--retry-max-delay",
      "400ms",
    ]
    let running = try worker(
      queue, options, script: "read -r t; echo x >>'\(log)'; [ -e '\(gate)' ] && echo $t"
    ).start()
    try running.waitForError("failed in a row: pausing; trying one task in")
    try waitUntil("there are ten pauses") { running.error.ranges(of: "failed in a row: pausing").count >= 10 }
    let runs = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").count
    #expect(runs < 40, "one at a time after the first few")
    #expect(!running.error.contains("parked"))
    try #require(FileManager.default.createFile(atPath: gate, contents: nil))
    try running.waitForError("a task succeeded: going on")
    try waitUntil("all tasks are done") {
      Set(running.output.split(separator: "\n").map(String.init)) == Set(tasks)
    }
    running.signal(SIGTERM)
    try expect(running.end().status, equals: 0)
    try expect(exists("\(queue).failed"), equals: false)
  }

  @Test(arguments: [["--rate", "0/s"], ["--rate", "5"], ["--rate", "5/d"], ["--pause-after", "0"]])
  func `exits with 64 and a hint when --rate or --pause-after is invalid`(options: [String]) throws {
    let result = try Program.workq(["work"] + options).run()
    #expect(result.status == 64)
    #expect(result.error.contains("(use "), "\(result.error)")
  }
}
