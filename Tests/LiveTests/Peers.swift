import AMQP
import Foundation
import TestSupport
import Testing

/// Clients other than workq: Python scripts that use pika, and Debian's amqp-tools.
enum Peer {
  static func python(_ script: String, _ arguments: String...) -> Program {
    let path = "\(TestEnvironment.repository)/Tests/LiveTests/Tutorial/\(script).py"
    var program = Program("/usr/bin/python3", [path] + arguments)
    program.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return program
  }

  /// One of Debian's amqp-tools.
  static func amqp(_ tool: String, _ arguments: String..., at broker: Broker = .shared) -> Program {
    Program("/usr/bin/amqp-\(tool)", ["--url", broker.url] + arguments)
  }

  static func declare(
    _ queue: String, _ arguments: String, durable: Bool = true, at broker: Broker = .shared
  ) throws {
    let result = try python("declare", queue, durable ? "durable" : "transient", arguments).at(broker).run()
    try checkSuccess(result)
  }

  /// Deletes a queue and returns its number of waiting tasks.
  @discardableResult
  static func delete(_ queue: String, at broker: Broker = .shared) throws -> Int? {
    let result = try python("declare", queue, "delete").at(broker).run()
    try checkSuccess(result)
    return Int(result.output.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// A client that declares an exclusive queue and keeps it until the client exits, for up to 60 s.
  static func holder(ofExclusive queue: String) throws -> RunningProgram {
    let script = """
      import os, sys, time, pika
      connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
      connection.channel().queue_declare(sys.argv[1], exclusive=True)
      print("ready", flush=True)
      connection.process_data_events(time_limit=60)
      """
    return try Program("/usr/bin/python3", ["-c", script, queue]).start()
  }

  private static func checkSuccess(_ result: Program.Result) throws {
    if result.status != 0 { throw PeerFailed(message: result.error) }
  }

  struct PeerFailed: Error {
    let message: String
  }
}

/// The number of waiting tasks in a queue.
///
/// - Throws: also when the queue does not exist.
func waiting(in queue: String, at broker: Broker = .shared) throws -> Int {
  guard let status = try QueueProbe.status(of: queue, at: broker) else {
    throw Peer.PeerFailed(message: "there is no queue '\(queue)'")
  }
  return Int(status.waiting)
}

/// Expects this number of waiting tasks in a queue, and waits up to 20 s for it.
///
/// The broker may answer before it has counted the tasks that were requeued earlier, even by a program that
/// has exited.
func expectWaiting(
  in queue: String, at broker: Broker = .shared, equals expected: Int,
  _ comment: @autoclosure () -> Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  _ = try? waitUntil("the tasks are counted", within: 20) { try waiting(in: queue, at: broker) == expected }
  try expect(waiting(in: queue, at: broker), equals: expected, comment(), sourceLocation: sourceLocation)
}

/// The number of consumers of a queue; 0 when the queue does not exist.
func consumers(of queue: String, at broker: Broker = .shared) throws -> Int {
  try Int(QueueProbe.status(of: queue, at: broker)?.consumers ?? 0)
}

/// Whether the queue exists.
func exists(_ queue: String, at broker: Broker = .shared) throws -> Bool {
  try QueueProbe.status(of: queue, at: broker) != nil
}

/// Sends passive `queue.declare` requests from this process.
///
/// Tests poll conditions many times a second. Starting a program for each poll would load the machine.
private enum QueueProbe {
  private static let lock = NSLock()
  /// Connections by broker URL; guarded by the lock.
  nonisolated(unsafe) private static var connections: [String: Open] = [:]

  private final class Open {
    private var connection: Connection

    init(_ url: String) throws {
      var options = Connection.Options()
      options.name = "workq tests"
      options.heartbeat = .zero
      connection = try Connection.open(Address(url: url), options)
    }

    func status(of queue: String) throws -> Queue.Status? { try connection.status(ofQueue: queue) }
  }

  static func status(of queue: String, at broker: Broker) throws -> Queue.Status? {
    try lock.withLock {
      if let open = connections[broker.url] {
        do {
          return try open.status(of: queue)
        } catch {
          // The broker has been stopped since the last request.
          connections[broker.url] = nil
        }
      }
      let open = try Open(broker.url)
      connections[broker.url] = open
      return try open.status(of: queue)
    }
  }
}

/// A message as another client receives it.
struct SeenMessage {
  let body: String
  let properties: [String: Any]
  var headers: [String: Any] { properties["headers"] as? [String: Any] ?? [:] }

  /// Gets the first message of a queue with automatic ack; nil when the queue is empty.
  static func take(from queue: String, at broker: Broker = .shared) throws -> SeenMessage? {
    let result = try Peer.python("message", "get", queue).at(broker).run()
    guard result.status == 0 else { throw Peer.PeerFailed(message: result.error) }
    let json = try JSONSerialization.jsonObject(with: Data(result.outputBytes), options: .fragmentsAllowed)
    guard let properties = json as? [String: Any] else { return nil }
    return SeenMessage(body: properties["body"] as? String ?? "", properties: properties)
  }

  /// Publishes a message with properties given as JSON.
  static func put(_ body: String, _ properties: String, to queue: String) throws {
    let result = try Peer.python("message", "put", queue, properties, body).run()
    guard result.status == 0 else { throw Peer.PeerFailed(message: result.error) }
  }
}

/// Publishes the tasks with `workq publish --lines`.
func publish(_ tasks: [String], to queue: String, at broker: Broker = .shared) throws {
  let input = Array((tasks.joined(separator: "\n") + "\n").utf8)
  let result = try Program.workq("publish", "--lines", "-q", queue).at(broker).run(input: input)
  guard result.status == 0 else { throw Peer.PeerFailed(message: result.error) }
}

/// A worker that runs a shell script for each task.
func worker(_ queue: String, _ options: [String] = [], script: String) -> Program {
  Program.workq(["work", "-q", queue] + options + ["--", "sh", "-c", script])
}

extension RunningProgram {
  /// Waits until a `--verbose` worker has started the task of this number.
  func waitForStart(of task: Int) throws {
    try waitUntil("task \(task) starts (so far: \(output)\(error))", within: 120) { hasStarted(task) }
  }

  /// Waits until the state that a worker prints on SIGUSR1 contains `text`.
  func waitForState(_ text: String) throws {
    try waitUntil("the state has '\(text)' (so far: \(error))") {
      signal(SIGUSR1)
      return error.split(separator: "\n").contains { $0.contains(", consuming '") && $0.contains(text) }
    }
  }

  func hasStarted(_ task: Int) -> Bool {
    error.split(separator: "\n").contains { $0.hasPrefix("workq: [\(task)] ") && $0.contains(": started") }
  }
}

/// Whether a process is running; false for a zombie.
func isAlive(_ pid: String) -> Bool {
  let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
  return status.map { !$0.contains("State:\tZ") } ?? false
}
