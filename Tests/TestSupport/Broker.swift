import Foundation

/// Settings that `make test` passes to the tests in environment variables.
public enum TestEnvironment {
  /// The release binary.
  public static var binary: String { value("WORKQ_BINARY") }
  /// The directory of the repository.
  public static let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// The count in WORKQ_TEST_`name`, or else `usual`; `make soak` sets larger counts.
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

/// A private RabbitMQ server with its own directory, managed by the script `broker`.
public struct Broker: Sendable {
  public let directory: String
  public let url: String

  /// The broker that all tests share; each test uses its own queues.
  public static let shared = Broker(
    directory: TestEnvironment.value("WORKQ_TEST_BROKER"), url: TestEnvironment.value("AMQP_URL"))

  /// Starts a broker for one test, which may stop it; otherwise it is stopped at the end of the test run.
  ///
  /// `prepare` may write configuration files into its directory.
  public static func start(_ prepare: (_ directory: String) throws -> Void = { _ in }) throws -> Broker {
    let directory = "\(TestEnvironment.value("WORKQ_TEST_BROKERS"))/\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try prepare(directory)
    try script(["start", directory])
    let url = try script(["url", directory]).trimmingCharacters(in: .whitespacesAndNewlines)
    return Broker(directory: directory, url: url)
  }

  public func stop() throws { try Self.script(["stop", directory]) }

  /// Kills the server, as a power failure would.
  public func kill() throws { try Self.script(["kill", directory]) }

  /// Suspends the server's process (SIGSTOP): its connections stay open, and it answers nothing.
  public func freeze() throws { try signal(SIGSTOP) }

  /// Resumes a frozen server.
  public func thaw() throws { try signal(SIGCONT) }

  private func signal(_ signal: Int32) throws {
    guard let server, Glibc.kill(server, signal) == 0 else {
      throw BrokerFailed(message: "no server in \(directory)")
    }
  }

  /// The server's pid.
  var server: Int32? {
    let text = try? String(contentsOfFile: "\(directory)/server.pid", encoding: .utf8)
    return text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  /// Starts the server again, with the same data and port.
  public func restart() throws { try Self.script(["start", directory]) }

  /// The same broker with another URL.
  public func with(url: String) -> Broker { Broker(directory: directory, url: url) }

  /// The port in the URL.
  public var port: Int { URLComponents(string: url)?.port ?? 0 }

  /// The RabbitMQ version of the server.
  public var version: RabbitMQVersion {
    get throws {
      let text = try Self.script(["version", directory])
      guard let version = RabbitMQVersion(text) else { throw BrokerFailed(message: "no version: \(text)") }
      return version
    }
  }

  /// Evaluates an Erlang expression in the broker in about 50 ms and returns the value in Erlang syntax.
  ///
  /// rabbitmqctl starts an Erlang VM for each call, which keeps two processors busy for 1.5 s.
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
      throw BrokerFailed(
        message: "broker \(arguments.joined(separator: " ")): \(result.output)\(result.error)")
    }
    return result.output
  }

  struct BrokerFailed: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
  }
}

/// A unique queue name.
public func freshQueue(_ purpose: String = #function) -> String {
  let letters = purpose.prefix { $0 != "(" }.map { $0.isLetter && $0.isASCII ? $0 : "-" }
  return "test-\(String(letters).prefix(40))-\(UUID().uuidString.prefix(8))"
}
