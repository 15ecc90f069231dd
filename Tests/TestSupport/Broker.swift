import Foundation

/// What `make test` tells the tests.
public enum TestEnvironment {
  /// The release binary.
  public static var binary: String { value("WORKQ_BINARY") }
  /// The directory of the repository.
  public static let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// How much of something there is to be: `make soak` sets more than `make test` has time for.
  public static func count(_ name: String, _ usual: Int) -> Int {
    ProcessInfo.processInfo.environment["WORKQ_TEST_\(name)"].flatMap { Int($0) } ?? usual
  }

  static func value(_ name: String) -> String {
    guard let value = ProcessInfo.processInfo.environment[name] else {
      fatalError("\(name) is not set: run these tests with 'make test', which starts a private broker")
    }
    return value
  }
}

/// A private RabbitMQ, kept in a directory of its own by the script `broker`.
public struct Broker: Sendable {
  public let directory: String
  public let url: String

  /// The one that all tests share, each with queues of its own.
  public static let shared = Broker(
    directory: TestEnvironment.value("WORKQ_TEST_BROKER"), url: TestEnvironment.value("AMQP_URL"))

  /// Starts a broker for one test, which may stop it; whatever is left is ended with the test run.
  ///
  /// `prepare` may put files of settings into its directory.
  public static func start(_ prepare: (_ directory: String) throws -> Void = { _ in }) throws -> Broker {
    let directory = "\(TestEnvironment.value("WORKQ_TEST_BROKERS"))/\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try prepare(directory)
    try script(["start", directory])
    let url = try script(["url", directory]).trimmingCharacters(in: .whitespacesAndNewlines)
    return Broker(directory: directory, url: url)
  }

  public func stop() throws { try Self.script(["stop", directory]) }

  /// Ends it as a power cut does.
  public func kill() throws { try Self.script(["kill", directory]) }

  /// Stops its server's process where it is (SIGSTOP): it keeps its connections, and answers nothing.
  public func freeze() throws { try signal(SIGSTOP) }

  /// Has a frozen server go on.
  public func thaw() throws { try signal(SIGCONT) }

  private func signal(_ signal: Int32) throws {
    guard let server, Glibc.kill(server, signal) == 0 else {
      throw BrokerFailed(words: "no server in \(directory)")
    }
  }

  /// The pid of its server.
  var server: Int32? {
    let text = try? String(contentsOfFile: "\(directory)/server.pid", encoding: .utf8)
    return text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  /// Starts it again, with the same data and port.
  public func restart() throws { try Self.script(["start", directory]) }

  /// The same broker by another address.
  public func with(url: String) -> Broker { Broker(directory: directory, url: url) }

  /// The host's port, out of the URL.
  public var port: Int { URLComponents(string: url)?.port ?? 0 }

  /// The version of its RabbitMQ.
  public var version: RabbitMQVersion {
    get throws {
      let text = try Self.script(["version", directory])
      guard let version = RabbitMQVersion(text) else { throw BrokerFailed(words: "no version: \(text)") }
      return version
    }
  }

  /// Evaluates an Erlang expression in the broker, in some 50 ms; the value as Erlang writes it.
  ///
  /// rabbitmqctl, which starts an Erlang machine for each question, takes 1.5 s of two processors.
  ///
  /// - Throws: when the expression fails, with Erlang's reason.
  @discardableResult
  public func evaluate(_ expression: String) throws -> String {
    try Self.script(["evaluate", directory, expression]).trimmingCharacters(in: .newlines)
  }

  @discardableResult
  static func script(_ arguments: [String]) throws -> String {
    let path = "\(TestEnvironment.repository)/Tests/TestSupport/broker"
    let result = try Program(path, arguments).run(limit: 180)
    guard result.status == 0 else {
      throw BrokerFailed(words: "broker \(arguments.joined(separator: " ")): \(result.output)\(result.error)")
    }
    return result.output
  }

  struct BrokerFailed: Error, CustomStringConvertible {
    let words: String
    var description: String { words }
  }
}

/// Three private RabbitMQs that know one another; each may be stopped, killed and started again.
public struct Cluster: Sendable {
  public let nodes: [Broker]

  /// Starts a cluster for one test; whatever is left of it is ended with the test run.
  public static func start() throws -> Cluster {
    let directory = "\(TestEnvironment.value("WORKQ_TEST_BROKERS"))/\(UUID().uuidString.prefix(8))"
    let urls = try Broker.script(["cluster", "start", directory])
      .trimmingCharacters(in: .whitespacesAndNewlines).split(separator: ",")
    let nodes = urls.enumerated().map { Broker(directory: "\(directory)/\($0 + 1)", url: String($1)) }
    return Cluster(nodes: nodes)
  }

  /// Ends all nodes: nobody needs their data any more.
  public func end() throws { for node in nodes { try node.kill() } }

  /// The nodes' URLs as `--url` wants them, the one of this number (from 0) first.
  public func urls(from first: Int) -> String {
    (nodes[first...] + nodes[..<first]).map(\.url).joined(separator: ",")
  }

}

/// A queue's name that no other test has.
public func freshQueue(_ purpose: String = #function) -> String {
  let letters = purpose.prefix { $0 != "(" }.map { $0.isLetter && $0.isASCII ? $0 : "-" }
  return "test-\(String(letters).prefix(40))-\(UUID().uuidString.prefix(8))"
}
