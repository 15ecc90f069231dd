import Foundation

/// A program to run, with its arguments and environment.
public struct Program {
  public var path: String
  public var arguments: [String]
  public var environment = ProcessInfo.processInfo.environment
  /// Whether the program runs in a terminal, into which `RunningProgram.type(_:)` types.
  private(set) var isTerminal = false

  public init(_ path: String, _ arguments: [String]) {
    self.path = path
    self.arguments = arguments
  }

  /// The release binary that `make test` has built.
  ///
  /// AMQP_URL names its broker. The developer's other settings are removed from the environment.
  public static func workq(_ arguments: String...) -> Program {
    workq(arguments)
  }

  public static func workq(_ arguments: [String]) -> Program {
    var program = Program(TestEnvironment.binary, arguments)
    for name in ["WORKQ_URL", "WORKQ_QUEUE", "RABBITMQ_URL", "CLOUDAMQP_URL", "NO_COLOR"] {
      program.environment[name] = nil
    }
    return program
  }

  public func at(_ broker: Broker) -> Program {
    var program = self
    program.environment["AMQP_URL"] = broker.url
    return program
  }

  /// The same program in its own terminal (script(1)), which echoes its input.
  public func inTerminal() -> Program {
    let quoted = ([path] + arguments).map { "'" + $0.replacing("'", with: #"'\''"#) + "'" }
    var program = Program("/usr/bin/script", ["-qefc", "exec " + quoted.joined(separator: " "), "/dev/null"])
    program.environment = environment
    program.isTerminal = true
    return program
  }

  /// Runs the program until it exits, or kills it and throws after `limit` seconds.
  ///
  /// `input` is its stdin; nil means /dev/null.
  public func run(input: [UInt8]? = nil, limit: Double = 180) throws -> Result {
    let running = try start(input: input)
    return try running.end(within: limit)
  }

  /// Starts the program; its output goes to files, so the program never waits for a reader.
  public func start(input: [UInt8]? = nil) throws -> RunningProgram {
    try RunningProgram(self, input: input)
  }

  /// The exit code and the output of a program.
  public struct Result {
    /// The exit code; 128+N when signal N killed it.
    public let status: Int32
    public let outputBytes: [UInt8]
    public let error: String
    public var output: String { String(decoding: outputBytes, as: UTF8.self) }
    public var outputLines: [String] { output.split(separator: "\n").map(String.init) }
  }
}

/// Waits for a condition, polling often at first and 20 times a second later.
///
/// The limit, in seconds, is generous, because a busy machine is slow.
/// - Throws: `TimedOut`, with the description of the condition, when the limit is reached.
public func waitUntil(
  _ what: @autoclosure () -> String, within limit: Double = 120, _ condition: () throws -> Bool
) throws {
  let end = Date.now.addingTimeInterval(limit)
  var pause: UInt32 = 2000
  while try !condition() {
    guard Date.now < end else { throw TimedOut(what: what(), seconds: limit) }
    usleep(pause)
    pause = min(pause * 3 / 2, 50_000)
  }
}

public struct TimedOut: Error, CustomStringConvertible {
  let what: String
  let seconds: Double
  public var description: String { "not within \(seconds) s: \(what)" }
}
