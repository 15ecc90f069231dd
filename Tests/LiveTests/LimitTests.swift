import Foundation
import TestSupport
import Testing

/// Limits on file descriptors, processes and disk space, and a stdout that is closed or full.
@Suite(.busy) struct LimitTests {
  private let queue = freshQueue("limit")

  /// Each further descriptor allows a further step; the step that fails is reported, with an exit code.
  ///
  /// With no free descriptor Swift's own start-up traps: it reads the location of the arguments from /proc.
  @Test(arguments: [4, 5, 6, 7, 8, 9, 10, 12, 16, 24, 64])
  func `exits with 75 and loses no task when file descriptors run out`(limit: Int) throws {
    for command in ["publish -q \"$1\" x", "work -q \"$1\" --drain -j 8 -- true", "move \"$1\" \"$1-2\""] {
      try #require(try Program.workq("declare", queue, "\(queue)-2").run().status == 0)
      try publish((0..<8).map { "\($0)" }, to: queue)
      let tasks = try waiting(in: queue) + waiting(in: "\(queue)-2")
      let result = try shell("ulimit -n \(limit); exec \"$0\" \(command)", queue).run()
      // Without the worker's lines about tasks that it completed before it reached the limit.
      let lines = result.error.split(separator: "\n").filter {
        $0.contains("cannot") || !$0.contains("task") && !$0.contains(" done in ")
      }
      if let fails = Self.fails(command, limit) {
        #expect(result.status == (fails ? 75 : 0), "\(command): \(result.error)")
      }
      if result.status != 0 {
        #expect(result.status == 75, "\(command): \(result.error)")
        #expect(lines.last?.contains("Too many open files") == true, "\(command): \(result.error)")
        #expect(lines.count <= 3, "\(command): \(result.error)")
      }
      try waitUntil("the queue has no consumer") { try consumers(of: queue) == 0 }
      let done = result.error.ranges(of: " done in ").count
      let published = command.hasPrefix("publish") && result.status == 0 ? 1 : 0
      try waitUntil("\(command): no task is lost") {
        try waiting(in: queue) + waiting(in: "\(queue)-2") == tasks - done + published
      }
    }
  }

  /// Whether the limit is too low; nil near the threshold, which a library may change.
  private static func fails(_ command: String, _ limit: Int) -> Bool? {
    switch command.prefix(4) {
    case "publ": false
    case "work": limit < 64
    default: limit < 8 ? true : limit >= 12 ? false : nil
    }
  }

  /// The limit does not apply to root, so the worker runs as a user without other processes.
  @Test(.enabled(if: geteuid() == 0, "only root may become a user without other processes"))
  func `the worker requeues its task and exits with 75 when it cannot start a process`() throws {
    try publish(["a", "b"], to: queue)
    let copy = FileManager.default.temporaryDirectory.appending(path: "workq-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: copy) }
    // That user cannot access the original binary, so the shell copies it. If the test copied it, a program
    // that another test starts at the same time could have the copy open for writing.
    // The command is one of the two allowed processes, so the second task cannot start.
    let script = """
      cp "$0" "$2" && chmod 755 "$2" && exec setpriv --reuid 64999 --regid 64999 --clear-groups \
        prlimit --nproc=2 "$2" work -q "$1" -j 2 --drain -- sleep 2
      """
    let result = try shell(script, queue, copy).run()
    #expect(result.status == 75, "\(result.error)")
    #expect(result.error.contains("cannot run 'sleep': Resource temporarily unavailable"), "\(result.error)")
    #expect(result.error.contains("1 done, 1 requeued"), "\(result.error)")
    try waitUntil("the task is requeued") { try waiting(in: queue) == 1 }
  }

  @Test(.enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
  func `publish exits with 73 and one line when the disk of --spool or --failed-to is full`() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "workq-disk-\(UUID().uuidString)").path
    let disk = try SmallDisk(at: path)
    defer { withExtendedLifetime(disk) {} }
    let input = Array((0..<1000).map { "\($0)\n" }.joined().utf8)
    var kept = Program.workq("publish", "--spool=\(path)/spool", "-q", queue, "kept before")
    kept.environment["AMQP_URL"] = "amqp://127.0.0.1:9"
    try expect(kept.run().status, equals: 0)
    try disk.fill()
    for option in ["--spool=\(path)/spool", "--failed-to=\(path)/failed"] {
      var publish = Program.workq("publish", "-l", option, "-q", queue)
      publish.environment["AMQP_URL"] = "amqp://127.0.0.1:9"
      let result = try publish.run(input: input)
      #expect(result.status == 73, "\(result.error)")
      #expect(result.error.contains("No space left on device"), "\(result.error)")
      #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
    }
    // The broker is reachable, the disk still full: spooled tasks are sent, and removing them needs no space.
    try expect(Program.workq("publish", "--flush-spool", "--spool=\(path)/spool").run().status, equals: 0)
    try expect(drain(queue).map(\.text), equals: ["kept before"])
  }

  /// The command fails on the full disk: its task is parked, and the worker continues.
  @Test(.enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
  func `a full disk for grouped output fails the task but not the worker`() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "workq-disk-\(UUID().uuidString)").path
    let disk = try SmallDisk(at: path)
    defer { withExtendedLifetime(disk) {} }
    try publish(["large", "small"], to: queue)
    try disk.fill()
    let script = "read n; if [ $n = large ]; then head -c 100000 /dev/zero; fi"
    let options = ["--drain", "--output", "grouped", "--on-failure", "park"]
    var worker = worker(queue, options, script: script)
    worker.environment["TMPDIR"] = path
    let result = try worker.run()
    #expect(result.status == 1, "\(result.error)")
    #expect(result.error.contains("1 done, 1 parked"), "\(result.error)")
    let parked = try #require(try SeenMessage.take(from: "\(queue).failed"))
    #expect(parked.body == "large")
    #expect((parked.headers["x-workq-reason"] as? String) == "exit status 1")
  }

  /// `PublishInputTests` and `WorkTests` cover publish and work.
  @Test func `exits with 74 and loses no task when stdout is closed or full`() throws {
    let target = "\(queue)-2"
    for subcommand in [
      "status \"$1\"", "peek \"$1\"", "peek --raw \"$1\"", "declare \"$1\"", "move \"$1\" \"$1-2\"",
      "purge --force \"$1-2\"",
    ] {
      for output in [">&-", ">/dev/full"] {
        try expect(Program.workq("declare", queue, target).run().status, equals: 0)
        try publish(["x", "y"], to: queue)
        let before = try waiting(in: queue) + waiting(in: target)
        let result = try shell("exec \"$0\" \(subcommand) \(output)", queue).run()
        #expect(result.status == 74, "\(subcommand): \(result.status) \(result.error)")
        #expect(
          result.error.hasPrefix("workq: cannot write to stdout: "),
          "\(subcommand): \(result.error)")
        #expect(
          result.error.split(separator: "\n").count == 1,
          "\(subcommand): \(result.error)")
        if !subcommand.hasPrefix("purge") {
          try waitUntil("no task is lost") { try waiting(in: queue) + waiting(in: target) == before }
        }
      }
    }
  }

  @Test func `peek and status exit with 141 and without a message when the reader of stdout exits`() throws {
    try publish((0..<3000).map { "\($0) \(String(repeating: "x", count: 200))" }, to: queue)
    for subcommand in ["peek -c 3000 \"$1\"", "peek --json -c 3000 \"$1\"", "status --watch 100ms \"$1\""] {
      let script = "{ \"$0\" \(subcommand); echo \"status $?\" >&2; } | head -n 2"
      let result = try shell(script, queue).run()
      #expect(result.outputLines.count == 2, "\(subcommand): \(result.error)")
      #expect(result.error == "status 141\n", "\(subcommand): \(result.error)")
    }
    try waitUntil("all tasks are still there") { try waiting(in: queue) == 3000 }
  }
}
