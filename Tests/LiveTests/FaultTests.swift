import Foundation
import TestSupport
import Testing

/// Every kind of network fault, in an order from a fixed seed, during `publish`, `work` and `move`.
@Suite(.slow) struct FaultTests {
  private enum Fault: CaseIterable {
    case cut, halfOpen, refusal, freeze, lostReplies, delay, trickle

    /// Whether the fault ends the connection.
    var isFatal: Bool { self != .delay && self != .trickle }
  }

  private let proxy: FaultProxy
  private let queue = freshQueue("fault")
  private var far: Broker { Broker.shared.with(url: proxy.url(of: .shared)) }

  init() throws {
    proxy = try FaultProxy(to: .shared)
    try #require(try Program.workq("declare", queue).run().status == 0)
  }

  private func begin(_ fault: Fault) {
    switch fault {
    case .cut: proxy.cut()
    case .halfOpen: proxy.halfOpen()
    case .refusal:
      proxy.refuse(true)
      proxy.cut()
    case .freeze: proxy.set(.frozen)
    case .lostReplies: proxy.set(.losingReplies)
    case .delay: proxy.set(.slow(0.05))
    case .trickle: proxy.set(.trickling)
    }
  }

  private func end() {
    proxy.refuse(false)
    proxy.set(.normal)
  }

  /// Injects every fault at least once, and sends a hundred tasks with each.
  ///
  /// Some are sent before the fault, the rest during it. A fault that ends the connection lasts until the
  /// program reports it. Then all tasks must be completed.
  ///
  /// - Returns: the number of tasks.
  private func injectFaults(
    _ program: RunningProgram, seed: UInt64, reporting text: String, send: (Range<Int>) throws -> Void,
    ended: () throws -> Int
  ) throws -> Int {
    var random = SeededRandom(seed: seed)
    let rounds = TestEnvironment.count("FAULT_ROUNDS", 1)
    let faults = (0..<rounds).flatMap { _ in Fault.allCases.shuffled(using: &random) }
    for (round, fault) in faults.enumerated() {
      let tasks = round * 100..<(round + 1) * 100
      let early = tasks.lowerBound..<tasks.lowerBound + Int.random(in: 1..<100, using: &random)
      let reported = program.error.ranges(of: text).count
      try send(early)
      begin(fault)
      try send(early.upperBound..<tasks.upperBound)
      if fault.isFatal {
        try waitUntil("the program reports \(fault) (\(program.error))") {
          program.error.ranges(of: text).count > reported
        }
        end()
      }
      try waitUntil("all tasks are completed after \(fault) (\(program.error))") {
        try ended() == tasks.upperBound
      }
      end()
    }
    return faults.count * 100
  }

  @Test func `publish --lines recovers from every network fault and loses no task`() throws {
    let pipe = try NamedPipe()
    let script = """
      exec "$0" publish -l --print-id --retry-for 60s --heartbeat 1s -q "$1" <"$2"
      """
    let publisher = try shell(script, queue, pipe.path, at: far).start()
    let count = try injectFaults(
      publisher, seed: 6, reporting: "trying again in",
      send: { try pipe.write($0.map { "\($0)\n" }.joined()) },
      ended: { publisher.output.utf8.count / 37 })
    try pipe.close()
    let result = try publisher.end()
    proxy.stop()
    #expect(result.status == 0, "\(result.error)")
    let arrived = try drain(queue)
    #expect(Set(arrived.compactMap { Int($0.text) }) == Set(0..<count))
    #expect(Set(arrived.compactMap(\.id)) == Set(result.outputLines))
    print("\(arrived.count - count) of \(count) tasks were published twice")
  }

  @Test func `the worker recovers from every network fault and completes every task`() throws {
    let scratch = try TemporaryFile("")
    // Every fourth task fails once, so that retries pass through the same network.
    let script = """
      read n; [ $((n % 4)) = 0 ] && [ $WORKQ_ATTEMPT = 1 ] && exit 75; echo $n >> '\(scratch.path)'
      """
    let options = ["-j", "4", "--prefetch", "20", "--heartbeat", "1s", "--retry-delay", "200ms"]
    let worker = try worker(queue, options, script: script).at(far).start()
    try worker.waitForError("waiting for tasks")
    func done() throws -> [Int] {
      try String(contentsOfFile: scratch.path, encoding: .utf8).split(separator: "\n").compactMap { Int($0) }
    }
    let count = try injectFaults(
      worker, seed: 7, reporting: "connection lost", send: { try publish($0.map(String.init), to: queue) },
      ended: { Set(try done()).count })
    try waitUntil("the queues are empty") {
      try waiting(in: queue) == 0 && waiting(in: retryQueue(of: queue, after: .milliseconds(200))) == 0
    }
    worker.signal(SIGTERM)
    let result = try worker.end()
    proxy.stop()
    #expect(result.status == 0, "\(result.error)")
    #expect(Set(try done()) == Set(0..<count))
    try expect(
      Program.workq("declare", "--check", "\(queue).failed").run().status, equals: 78, "none is parked")
    print("\(try done().count - count) of \(count) tasks were done twice")
  }

  @Test func `move exits with 69 or 75 when the connection fails, and a second move moves the rest`() throws {
    let (target, count) = (freshQueue("fault-target"), 3000)
    try #require(try Program.workq("declare", target).run().status == 0)
    try publish((0..<count).map { "\($0) \(String(repeating: "x", count: 500))" }, to: queue)
    var random = SeededRandom(seed: 8)
    for fault in [Fault.cut, .halfOpen, .freeze, .lostReplies].shuffled(using: &random) {
      // The tasks that the previous move has sent arrive first.
      try waitUntil("the connections are closed") { proxy.liveConnections == 0 }
      let before = try waiting(in: target)
      // The move of all tasks takes 30 s, and is far from complete when the fault is injected.
      proxy.set(.limited(60_000))
      let move = try Program.workq("move", "--heartbeat", "1s", queue, target).at(far).start()
      let mark = before + Int.random(in: 1...300, using: &random)
      try waitUntil("the move has started (\(move.error))") { try waiting(in: target) >= mark }
      begin(fault)
      let result = try move.end()
      end()
      #expect([69, 75].contains(result.status), "\(fault): \(result.error)")
      #expect(
        result.error.split(separator: "\n").count == 1,
        "\(fault): \(result.error)")
      #expect(
        result.error.contains("none is lost"),
        "\(fault): \(result.error)")
    }
    // The broker may keep a dead connection and its unacknowledged tasks for two heartbeat intervals.
    var arrived: [Int] = []
    try waitUntil("all are moved") {
      try expect(Program.workq("move", queue, target).run().status, equals: 0)
      arrived += try drain(target).compactMap { $0.text.split(separator: " ").first.flatMap { Int($0) } }
      return Set(arrived).count >= count
    }
    proxy.stop()
    #expect(Set(arrived) == Set(0..<count))
    print("\(arrived.count - count) of \(count) tasks were moved twice")
  }

  /// AMQP has no checksums (TCP and TLS have), so a corrupted byte may be accepted.
  ///
  /// It must not cause a crash or a hang, and a failure is reported in one line.
  @Test(arguments: 0..<24) func `exits with a documented code when a byte is corrupted`(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let isInAnswer = seed % 2 == 0
    let isPublish = seed % 4 < 2
    try publish((0..<20).map { "task \($0)" }, to: queue)
    proxy.spoil(
      inAnswer: isInAnswer, after: Int.random(in: 0..<(isInAnswer ? 700 : 500), using: &random),
      bits: UInt8.random(in: 1...255, using: &random))
    var program =
      isPublish
      ? Program.workq("publish", "-l", "--confirm-timeout", "2s")
      : Program.workq("work", "--drain", "--no-reconnect", "--dot", "0", "--json")
    program.arguments += ["-q", queue, "--heartbeat", "1s", "--connect-timeout", "2s"]
    let lines = (0..<20).map { "line \($0)\n" }.joined()
    let result = try program.at(far).run(input: isPublish ? Array(lines.utf8) : nil)
    proxy.stop()
    let documented: [Int32] = [0, 1, 3, 65, 69, 70, 75, 77, 78]
    #expect(documented.contains(result.status), "\(result.status): \(result.error)")
    // A worker that recovers reports the reason: a lost connection or a closed channel.
    let recoveries = [
      "connection lost", "the broker closed the channel: ", "consuming from '\(queue)' again",
    ]
    let errors = result.error.split(separator: "\n").filter { line in
      !recoveries.contains { line.contains($0) }
    }
    #expect(errors.count == (result.status == 0 ? 0 : 1), "\(result.status): \(result.error)")
  }
}
