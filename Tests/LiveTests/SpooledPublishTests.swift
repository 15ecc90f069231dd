import Foundation
import TestSupport
import Testing

/// `publish --spool` as a shell runs it.
@Suite(.busy) final class SpooledPublishTests {
  private static let nowhere = "amqp://guest:guest@127.0.0.1:9"

  private let directory = FileManager.default.temporaryDirectory
    .appending(path: "workq-spool-\(UUID().uuidString)").path
  private let queue = freshQueue("spool")

  deinit {
    try? FileManager.default.removeItem(atPath: directory)
  }

  private func publish(_ arguments: [String], isAway: Bool = false) -> Program {
    var program = Program.workq(["publish", "-q", queue, "--spool=\(directory)"] + arguments)
    if isAway { program.environment["AMQP_URL"] = Self.nowhere }
    return program
  }

  private var flush: Program { Program.workq("publish", "--flush-spool", "--spool=\(directory)") }

  private func segments() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".tasks2") }.sorted()
  }

  @Test func `publish spools tasks while the broker is unreachable and sends them first afterwards`() throws {
    for body in ["1", "2"] {
      let kept = try publish([body], isAway: true).run()
      #expect(kept.status == 0, "\(kept.error)")
      #expect(kept.output == "", "\(kept.error)")
      #expect(kept.error == "", "\(kept.error)")
    }
    try expect(publish(["-l"], isAway: true).run(input: Array("3\n4".utf8)).status, equals: 0)
    try expect(segments().count, equals: 3)
    try expect(publish(["5"]).run().status, equals: 0)
    try expect(drain(queue).map(\.text), equals: ["1", "2", "3", "4", "5"])
    try expect(segments(), equals: [])
  }

  @Test func `a spooled task keeps its id, properties and headers`() throws {
    let options = [
      "--print-id", "-H", "n:=1", "--priority", "3", "--type", "t", "--transient", "--delay", "1ms", "x",
    ]
    let kept = try publish(options, isAway: true).run()
    try expect(flush.run().status, equals: 0)
    try waitUntil("the task is in the queue") { try waiting(in: queue) == 1 }
    let task = try #require(try drain(queue).first)
    #expect(kept.output == "\(task.id ?? "")\n")
    #expect(task.properties["priority"] as? Int == 3)
    #expect(task.properties["type"] as? String == "t")
    #expect(task.properties["delivery_mode"] as? Int == 1)
    #expect((task.properties["headers"] as? [String: Any])?["n"] as? Int == 1)
  }

  @Test func `publish uses a separate default spool directory for each broker`() throws {
    var program = Program.workq("publish", "-q", queue, "--spool", "--verbose", "x")
    program.environment["AMQP_URL"] = Self.nowhere
    program.environment["XDG_STATE_HOME"] = directory
    try expect(program.run().status, equals: 0)
    let own = "\(directory)/workq/spool/127.0.0.1_9_%2f"
    #expect(try FileManager.default.contentsOfDirectory(atPath: own).contains { $0.hasSuffix(".tasks2") })
    // Publishing to another broker leaves this spool untouched.
    program.environment["AMQP_URL"] = Broker.shared.url
    try expect(program.run().status, equals: 0)
    try expect(drain(queue).count, equals: 1)
    #expect(try FileManager.default.contentsOfDirectory(atPath: own).contains { $0.hasSuffix(".tasks2") })
  }

  /// The cron job recipe in README.md.
  @Test func `publish --unless-waiting 1 spools one task of four while the broker is unreachable`() throws {
    for _ in 1...4 {
      let result = try publish(["--unless-waiting", "1", "nightly"], isAway: true).run()
      #expect(result.status == 0, "\(result.error)")
    }
    try expect(segments().count, equals: 1)
    // The spooled task is sent first and then counts as waiting.
    for _ in 1...2 { try expect(publish(["--unless-waiting", "1", "nightly"]).run().status, equals: 0) }
    try expect(segments(), equals: [])
    try expect(drain(queue).count, equals: 1)
    try expect(publish(["--unless-waiting", "1", "nightly"]).run().status, equals: 0)
    try expect(drain(queue).count, equals: 1)
  }

  @Test func `publish --unless-waiting counts spooled and delayed tasks towards its limit`() throws {
    let delayed = ["--unless-waiting", "2", "--delay", "1h", "x"]
    for _ in 1...3 { try expect(publish(delayed, isAway: true).run().status, equals: 0) }
    try expect(segments().count, equals: 2)
    // A task for another queue in the same spool does not count.
    var other = Program.workq("publish", "--spool=\(directory)", "-q", freshQueue("other"), "x")
    other.environment["AMQP_URL"] = Self.nowhere
    try expect(other.run().status, equals: 0)
    try expect(segments().count, equals: 3)
    for _ in 1...2 { try expect(publish(delayed).run().status, equals: 0) }
    try expect(segments(), equals: [])
    let plain = Program.workq("publish", "-v", "-q", queue, "--unless-waiting", "2", "--delay", "1h", "x")
    let result = try plain.run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("2 tasks wait for '\(queue)' already: nothing is published"))
    // Without --delay, tasks in the delay queue do not count.
    let now = try Program.workq("publish", "-q", queue, "--unless-waiting", "1", "x").run()
    #expect(now.status == 0, "\(now.error)")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `publish spools tasks to a directory whose name is not UTF-8`() throws {
    let script = #"""
      name=$2/$(printf 'caf\351') && mkdir "$2" || exit
      "$0" publish -q "$1" -u "$3" --spool-directory "$name" 1 && "$0" publish -q "$1" -u "$3" --spool="$name" 2 &&
        [ -e "$name/lock" ] && "$0" publish --flush-spool --spool-directory "$name" || exit
      export XDG_STATE_HOME="$name.state" && "$0" publish -q "$1" -u "$3" --spool 3 && ls "$XDG_STATE_HOME/workq"
      """#
    let result = try shell(script, queue, directory, Self.nowhere).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "spool\n")
    try expect(drain(queue).map(\.text), equals: ["1", "2"])
  }

  @Test func `publish does not spool tasks that the broker refuses permanently`() throws {
    let full = freshQueue("full")
    try Peer.declare(full, #"{"x-max-length": 0, "x-overflow": "reject-publish"}"#)
    let url = Broker.shared.url.replacing("guest:guest", with: "guest:geheim")
    for (arguments, status) in [
      (["-q", full, "x"], 65), (["-q", queue, "--no-declare", "x"], 78), (["-q", queue, "-u", url, "x"], 77),
    ]
      as [([String], Int32)]
    {
      let refused = try Program.workq(["publish", "--spool=\(directory)"] + arguments).run()
      #expect(refused.status == status, "\(refused.error)")
      try expect(segments(), equals: [])
    }
  }

  @Test func `concurrent publishers send each spooled task once and before new tasks`() throws {
    let kept = (0..<40).map { "kept \($0)" }
    for bodies in [kept[..<13], kept[13..<14], kept[14...]] {
      let input = Array(bodies.joined(separator: "\n").utf8)
      try expect(publish(["-l"], isAway: true).run(input: input).status, equals: 0)
    }
    let running = try (0..<5).map { try publish(["new \($0)"]).start() }
    for program in running { try expect(program.end().status, equals: 0, "\(program.error)") }
    let arrived = try drain(queue).map(\.text)
    #expect(arrived.filter { $0.hasPrefix("kept") } == kept)
    #expect(Set(arrived).count == 45)
    #expect(arrived.count == 45)
    // Spooled tasks are sent before new ones.
    #expect(Array(arrived.prefix(40)) == kept)
  }

  @Test func `publish sets a damaged spool file aside, names it and sends the other tasks`() throws {
    for body in ["1", "2", "3"] { try expect(publish([body], isAway: true).run().status, equals: 0) }
    let damaged = "\(directory)/\(try segments()[1])"
    let file = try #require(FileHandle(forUpdatingAtPath: damaged))
    try file.seek(toOffset: 30)
    try file.write(contentsOf: Data([0xff, 0xff]))
    try file.close()
    let result = try publish(["4"]).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("'\(damaged).corrupt' is set aside"), "\(result.error)")
    try expect(drain(queue).map(\.text), equals: ["1", "3", "4"])
    #expect(FileManager.default.fileExists(atPath: "\(damaged).corrupt"))
    try expect(flush.run().status, equals: 0)
  }

  @Test func `publish --flush-spool sets a rejected task aside and sends the other tasks`() throws {
    let full = freshQueue("full")
    try Peer.declare(full, #"{"x-max-length": 0, "x-overflow": "reject-publish"}"#)
    for arguments in [["-q", full, "no"], ["-e", "nope", "no"]] {
      var away = Program.workq(["publish", "--spool=\(directory)"] + arguments)
      away.environment["AMQP_URL"] = Self.nowhere
      try expect(away.run().status, equals: 0)
      try expect(publish(["yes"], isAway: true).run().status, equals: 0)
      let result = try flush.run()
      #expect(result.status == 65, "\(result.error)")
      #expect(result.error.contains("is set aside: the broker refuses"), "\(result.error)")
      try expect(drain(queue).map(\.text), equals: ["yes"])
      try expect(segments(), equals: [])
      try expect(flush.run().status, equals: 0)
    }
  }

  @Test(arguments: ["/dev/null/spool", "/proc/spool"])
  func `publish exits with 73 when the spool directory is unusable`(directory: String) throws {
    let failed = FileManager.default.temporaryDirectory.appending(path: queue).path
    defer { try? FileManager.default.removeItem(atPath: failed) }
    var program = Program.workq(
      "publish", "-l", "--spool=\(directory)", "--failed-to", failed, "-q", queue)
    program.environment["AMQP_URL"] = Self.nowhere
    let result = try program.run(input: Array("a\nb\n".utf8))
    #expect(result.status == 73, "\(result.error)")
    #expect(result.error.contains("cannot use the spool: '\(directory)"), "\(result.error)")
    #expect(result.error.split(separator: "\n").count == 1)
  }

  @Test func `publish spools the rest when the broker becomes unreachable during a batch`() throws {
    let proxy = try FaultProxy(to: .shared)
    try #require(try Program.workq("declare", queue).run().status == 0)
    let pipe = try NamedPipe()
    let running = try shell(
      "exec \"$0\" publish -l --spool=\"$3\" -q \"$1\" <\"$2\"", queue, pipe.path, directory,
      at: Broker.shared.with(url: proxy.url(of: .shared))
    ).start()
    try pipe.write("1\n")
    try waitUntil("the first task is in the queue") { try waiting(in: queue) == 1 }
    proxy.refuse(true)
    proxy.cut()
    try pipe.write("2\n3\n")
    try waitUntil("the other tasks are spooled (\(running.error))") { try !segments().isEmpty }
    try pipe.write("4")
    try pipe.close()
    try expect(running.end().status, equals: 0, "\(running.error)")
    proxy.stop()
    try expect(flush.run().status, equals: 0)
    let arrived = try drain(queue).map(\.text)
    #expect(Set(arrived) == ["1", "2", "3", "4"])
  }

  /// Each process is killed after a random time; two of three cannot reach the broker.
  @Test func `publish loses no accepted task when it is killed at a random moment`() throws {
    var random = SeededRandom(seed: 9)
    var accepted: Set<String> = []
    // The usual duration of a run, so that about every second process is killed.
    let begin = Date.now
    for run in 0..<10 where try publish(["first \(run)"], isAway: run % 2 == 0).run().status == 0 {
      accepted.insert("first \(run)")
    }
    let usual = Date.now.timeIntervalSince(begin) / 10
    for run in 0..<120 {
      let program = try publish(["task \(run)"], isAway: run % 3 != 0).start()
      usleep(.random(in: 0...UInt32(usual * 2_000_000), using: &random))
      program.signal(SIGKILL)
      if try program.end().status == 0 { accepted.insert("task \(run)") }
    }
    #expect(accepted.count > 10, "\(accepted.count)")
    #expect(accepted.count < 130, "\(accepted.count)")
    let last = try flush.run()
    #expect(last.status == 0, "\(last.error)")
    let arrived = try drain(queue).map(\.text)
    #expect(Set(arrived).isSuperset(of: accepted))
    try expect(segments(), equals: [])
    #expect(
      try !FileManager.default.contentsOfDirectory(atPath: directory).contains { $0.hasSuffix(".corrupt") })
  }
}
