import Foundation
import TestSupport
import Testing

/// A worker keeps serving its tasks while the broker does not answer on one of its connections.
@Suite(.waiting) struct WorkFrozenTests {
  /// Number of frames from the broker that pass before the connection freezes.
  enum Point: Int, CaseIterable, CustomTestStringConvertible {
    case logIn = 0
    /// After the frames of the login and `channel.open-ok`.
    case declare = 4

    var testDescription: String { "\(self)" }
  }

  /// Without heartbeats and with these timeouts, a blocking wait for the broker would last long.
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

  /// Expects the task to time out, at most 15 s after `start`.
  private func expectTimeout(_ worker: RunningProgram, after start: ContinuousClock.Instant) throws {
    try worker.waitForError("timed out after")
    #expect(ContinuousClock.now - start < .seconds(15))
  }

  /// Expects SIGTERM to stop the worker although the broker does not answer.
  private func expectStop(_ worker: RunningProgram) throws {
    let start = ContinuousClock.now
    worker.signal(SIGTERM)
    try worker.waitForError("stopping")
    #expect(ContinuousClock.now - start < .seconds(15))
    try expect(worker.end().status, equals: 0)
  }

  @Test(arguments: Point.allCases)
  func `timeouts and signals take effect while the retry connection is not answered`(point: Point) throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    proxy.freeze(2, after: point.rawValue, .frame)
    let worker = try start(proxy, queue, timeout: "5s")
    try worker.waitForError("waiting for tasks")
    try publish(["fail"], to: queue)
    try waitUntil("the second connection is frozen") { proxy.hasFrozen }
    let start = ContinuousClock.now
    try publish(["slow"], to: queue)
    try expectTimeout(worker, after: start)
    try expectStop(worker)
  }

  @Test func `--count waits until a task is parked although the first retry connection freezes`() throws {
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

  @Test func `timeouts and signals take effect while a reconnect is not answered`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    proxy.freeze(2, after: 0, .frame)
    let worker = try start(proxy, queue, timeout: "5s")
    try worker.waitForError("waiting for tasks")
    let start = ContinuousClock.now
    try publish(["slow", "last"], to: queue)
    try waitUntil("both have started") { worker.output.split(separator: "\n").count { $0 == "begun" } == 2 }
    proxy.cut(only: 1)
    try waitUntil("the reconnect is frozen") { proxy.hasFrozen }
    try expectTimeout(worker, after: start)
    worker.signal(SIGTERM)
    worker.signal(SIGTERM)
    _ = try worker.end(within: 15)
  }

  @Test(arguments: Point.allCases)
  func `the consumer's connection survives while the retry connection is not answered`(point: Point) throws {
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
    try waitUntil("the second connection is frozen") { proxy.hasFrozen }
    // The third connection is opened after the second has timed out, and works.
    try waitUntil("the retry is published") {
      (try? waiting(in: retryQueue(of: queue, after: .seconds(3600)))) == 1
    }
    #expect(!worker.error.contains("connection lost"), "\(worker.error)")
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  // MARK: The consumer's connection

  /// The request that the worker sends on its open connection while a command runs.
  enum Request: CaseIterable, CustomTestStringConvertible {
    case cancel
    case consumeAgain

    var testDescription: String { "\(self)" }
  }

  /// Number of frames from the broker until the worker consumes: for the login, `channel.open`,
  /// `queue.declare`, `basic.qos` and `basic.consume`.
  private static let framesUntilConsuming = 7
  /// Number of frames of a delivery with a short body.
  private static let framesOfTask = 3

  /// A quorum queue, on which RabbitMQ 4.3 accepts a consumer timeout.
  ///
  /// On another queue type the worker has to send a second request.
  private func quorumQueue(_ purpose: String = #function) throws -> String {
    let queue = freshQueue(purpose)
    try expect(Program.workq("declare", "--type", "quorum", queue).run().status, equals: 0)
    return queue
  }

  @Test(arguments: Request.allCases)
  func `timeouts and signals take effect while a request is not answered`(request: Request) throws {
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

  @Test func `a second signal stops the worker while a passive declare is not answered`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = try quorumQueue()
    proxy.freeze(1, after: Self.framesUntilConsuming, .frame)
    let worker = try worker(queue, ["--heartbeat", "0", "--drain"], script: "true")
      .at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try waitUntil("the passive declare is not answered") { proxy.hasFrozen }
    let start = ContinuousClock.now
    worker.signal(SIGTERM)
    // The unanswered passive declare does not delay the shutdown.
    try worker.waitForError("stopping")
    #expect(ContinuousClock.now - start < .seconds(15))
    try expectImmediateStop(worker)
  }

  /// Expects the worker to exit on a second SIGTERM.
  ///
  /// The signal is repeated, because two pending signals may merge into one.
  private func expectImmediateStop(_ worker: RunningProgram) throws {
    let start = ContinuousClock.now
    try waitUntil("the worker exits (so far: \(worker.error))") {
      worker.signal(SIGTERM)
      return !worker.isRunning
    }
    try expect(worker.end().status, equals: 143)
    #expect(ContinuousClock.now - start < .seconds(15))
  }

  @Test func `runs and acknowledges tasks while a retry connection's reconnect is not answered`() throws {
    let proxy = try FaultProxy(to: .shared)
    defer { proxy.stop() }
    let queue = freshQueue()
    proxy.freeze(3, after: 0, .frame)
    // A task whose retry is not published occupies one of two prefetch slots. The last task is delivered when
    // the task before it is acknowledged.
    let worker = try worker(
      queue, ["--heartbeat", "1s", "--connect-timeout", "1h", "--retry-delay", "1h", "--prefetch", "2"],
      script: "read -r t; case $t in fail) exit 1 ;; slow) sleep 6 ;; esac; echo $t"
    ).at(Broker.shared.with(url: proxy.url(of: .shared))).start()
    try worker.waitForError("waiting for tasks")
    try publish(["fail"], to: queue)
    // Then its original is acknowledged, and occupies no prefetch slot.
    try worker.waitForState("1 scheduled for retry")
    proxy.cut(only: 2)
    try publish(["fail"], to: queue)
    try waitUntil("the reconnect is frozen") { proxy.hasFrozen }
    try publish(["slow", "last"], to: queue)
    try worker.waitForOutput("last")
    #expect(!worker.error.contains("connection lost"), "\(worker.error)")
    #expect(proxy.connections == 3)
    try expectImmediateStop(worker)
  }
}
