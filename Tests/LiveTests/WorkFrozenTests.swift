import Foundation
import TestSupport
import Testing

/// A worker goes on with its tasks while one of its connections is being opened to a broker that is silent.
@Suite(.waiting) struct WorkFrozenTests {
  /// How many frames of the broker's a connection gets before it freezes.
  enum Point: Int, CaseIterable, CustomTestStringConvertible {
    case logIn = 0
    /// After those of the log-in and `channel.open-ok`.
    case declare = 4

    var testDescription: String { "\(self)" }
  }

  /// Without heartbeats and with these time limits, whoever waits for the broker waits for long.
  private static let options = [
    "--heartbeat", "0", "--connect-timeout", "30s", "--retry-delay", "1h", "-j", "2", "--prefetch", "10",
  ]
  private static let script = """
    read -r task; case $task in fail) exit 1 ;; *) echo begun; exec sleep 60 ;; esac
    """

  private func start(_ proxy: FaultProxy, _ queue: String, timeout: String) throws -> RunningProgram {
    try worker(queue, Self.options + ["--timeout", timeout], script: Self.script)
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
  }

  /// Waits until the task's time limit has ended it.
  private func expectTimeout(_ worker: RunningProgram, after start: ContinuousClock.Instant) throws {
    try worker.waitForError("timed out after")
    #expect(ContinuousClock.now - start < .seconds(15))
  }

  /// Stops the worker, which must obey although the broker is silent.
  private func expectStop(_ worker: RunningProgram) throws {
    let start = ContinuousClock.now
    worker.signal(SIGTERM)
    try worker.waitForError("stopping")
    #expect(ContinuousClock.now - start < .seconds(15))
    try expect(worker.end().status, equals: 0)
  }

  @Test(arguments: Point.allCases)
  func `time limits and signals are obeyed while the connection for copies is silent`(point: Point) throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    proxy.freeze(2, after: point.rawValue, .frame)
    let worker = try start(proxy, queue, timeout: "5s")
    try worker.waitForError("waiting for tasks")
    try publish(["fail"], to: queue)
    try waitUntil("the second connection is silent") { proxy.hasFrozen }
    let start = ContinuousClock.now
    try publish(["slow"], to: queue)
    try expectTimeout(worker, after: start)
    try expectStop(worker)
  }

  @Test func `a bounded run waits for a copy whose first connection is silent`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    try publish(["a"], to: queue)
    proxy.freeze(2, after: 0, .frame)
    let options = ["--connect-timeout", "7s", "--count", "1", "--on-failure", "park"]
    let result = try worker(queue, options, script: "read -r t; exit 1")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).run()
    #expect(result.status == 1, "\(result.error)")
    try expectWaiting(in: "\(queue).failed", equals: 1)
  }

  @Test func `time limits and signals are obeyed while a reconnect is silent`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    proxy.freeze(2, after: 0, .frame)
    let worker = try start(proxy, queue, timeout: "5s")
    try worker.waitForError("waiting for tasks")
    let start = ContinuousClock.now
    try publish(["slow", "last"], to: queue)
    try waitUntil("both have begun") { worker.output.split(separator: "\n").count { $0 == "begun" } == 2 }
    proxy.cut(only: 1)
    try waitUntil("the reconnect is silent") { proxy.hasFrozen }
    try expectTimeout(worker, after: start)
    worker.signal(SIGTERM)
    worker.signal(SIGTERM)
    _ = try worker.end(within: 15)
  }

  @Test(arguments: Point.allCases)
  func `the connection that consumes survives while the one for copies is silent`(point: Point) throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    proxy.freeze(2, after: point.rawValue, .frame)
    let worker = try worker(
      queue, ["--heartbeat", "1s", "--connect-timeout", "20s", "--retry-delay", "1h"],
      script: "read -r t; exit 1"
    ).at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForError("waiting for tasks")
    try publish(["fail"], to: queue)
    try waitUntil("the second connection is silent") { proxy.hasFrozen }
    // The third one is made when the second is given up, and is good.
    try waitUntil("the copy is published") {
      (try? waiting(in: retryQueue(of: queue, after: .seconds(3600)))) == 1
    }
    #expect(!worker.error.contains("connection lost"), "\(worker.error)")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  // MARK: The connection that consumes

  /// What the worker asks on its open connection while a command runs.
  enum Request: CaseIterable, CustomTestStringConvertible {
    case cancel
    case consumeAgain

    var testDescription: String { "\(self)" }
  }

  /// How many frames a worker is sent until it consumes: for the log-in, `channel.open`, `queue.declare`, `basic.qos`
  /// and `basic.consume`.
  private static let framesUntilConsuming = 7
  /// Of a task with a short body.
  private static let framesOfTask = 3

  /// A queue whose consumers RabbitMQ 4.3 lets ask for a time limit: for another, the worker has to ask twice.
  private func quorumQueue(_ purpose: String = #function) throws -> String {
    let queue = freshQueue(purpose)
    try expect(Program.workq("declare", "--type", "quorum", queue).run().status, equals: 0)
    return queue
  }

  @Test(arguments: Request.allCases)
  func `time limits and signals are obeyed while a request to the broker is not answered`(request: Request)
    throws
  {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = try quorumQueue()
    try publish(["slow"], to: queue)
    var frames = Self.framesUntilConsuming + Self.framesOfTask
    // The broker's `basic.cancel`, after which the worker consumes again.
    if request == .consumeAgain { frames += 1 }
    proxy.freeze(1, after: frames, .frame)
    let bounds = request == .cancel ? ["--count", "1"] : []
    let worker = try worker(
      queue, ["--heartbeat", "0", "--timeout", "2s", "--retry-delay", "1h"] + bounds,
      script: "echo begun; exec sleep 60"
    ).at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForOutput("begun")
    let start = ContinuousClock.now
    if request == .consumeAgain { _ = try Peer.delete(queue) }
    try expectTimeout(worker, after: start)
    #expect(!worker.error.contains("connection lost"), "\(worker.error)")
    try expectImmediateStop(worker)
  }

  @Test func `a second signal stops a worker at once whose look at the queue is not answered`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = try quorumQueue()
    proxy.freeze(1, after: Self.framesUntilConsuming, .frame)
    let worker = try worker(queue, ["--heartbeat", "0", "--drain"], script: "true")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try waitUntil("the look is not answered") { proxy.hasFrozen }
    let start = ContinuousClock.now
    worker.signal(SIGTERM)
    // It is not held up by the look.
    try worker.waitForError("stopping")
    #expect(ContinuousClock.now - start < .seconds(15))
    try expectImmediateStop(worker)
  }

  /// Stops the worker by signals until it ends, which takes two; two of them at once may be one.
  private func expectImmediateStop(_ worker: RunningProgram) throws {
    let start = ContinuousClock.now
    try waitUntil("it ends (so far: \(worker.error))") {
      worker.signal(SIGTERM)
      return !worker.isRunning
    }
    try expect(worker.end().status, equals: 143)
    #expect(ContinuousClock.now - start < .seconds(15))
  }

  @Test func `tasks are done and acknowledged while a reconnect of the connection for copies is silent`()
    throws
  {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    proxy.freeze(3, after: 0, .frame)
    // Those whose copies are not published hold one of two places: the last one comes when the one before it is
    // acknowledged.
    let worker = try worker(
      queue, ["--heartbeat", "1s", "--connect-timeout", "60s", "--retry-delay", "1h", "--prefetch", "2"],
      script: "read -r t; case $t in fail) exit 1 ;; slow) sleep 6 ;; esac; echo $t"
    ).at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForError("waiting for tasks")
    try publish(["fail"], to: queue)
    try waitUntil("the first copy is published") {
      (try? waiting(in: retryQueue(of: queue, after: .seconds(3600)))) == 1
    }
    proxy.cut(only: 2)
    try publish(["fail"], to: queue)
    try waitUntil("the reconnect is silent") { proxy.hasFrozen }
    try publish(["slow", "last"], to: queue)
    try worker.waitForOutput("last")
    #expect(!worker.error.contains("connection lost"), "\(worker.error)")
    #expect(proxy.connections == 3)
    try expectImmediateStop(worker)
  }
}
