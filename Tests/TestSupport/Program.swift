import Foundation

/// A program to be run, with its arguments and what it finds in the environment.
public struct Program {
  public var path: String
  public var arguments: [String]
  public var environment = ProcessInfo.processInfo.environment
  /// Whether it runs in a terminal that `RunningProgram.type(_:)` reaches.
  private(set) var isTerminal = false

  public init(_ path: String, _ arguments: [String]) {
    self.path = path
    self.arguments = arguments
  }

  /// The release binary that `make test` has built.
  ///
  /// It finds its broker in AMQP_URL, and nothing of the tester's own settings.
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

  /// The same program in a terminal of its own (script(1)), which echoes what is typed at it.
  public func inTerminal() -> Program {
    let words = ([path] + arguments).map { "'" + $0.replacing("'", with: #"'\''"#) + "'" }
    var program = Program("/usr/bin/script", ["-qefc", "exec " + words.joined(separator: " "), "/dev/null"])
    program.environment = environment
    program.isTerminal = true
    return program
  }

  /// Runs the program to its end, or kills it and throws after `limit` seconds.
  ///
  /// `input` is what it finds on stdin; nil is /dev/null.
  public func run(input: [UInt8]? = nil, limit: Double = 180) throws -> Result {
    let running = try start(input: input)
    return try running.end(within: limit)
  }

  /// Starts the program; what it writes goes to files, so it never waits for us to read.
  public func start(input: [UInt8]? = nil) throws -> RunningProgram {
    try RunningProgram(self, input: input)
  }

  /// How a program ended.
  public struct Result {
    /// The exit code; 128+N when signal N killed it.
    public let status: Int32
    public let outputBytes: [UInt8]
    public let error: String
    public var output: String { String(decoding: outputBytes, as: UTF8.self) }
    public var outputLines: [String] { output.split(separator: "\n").map(String.init) }
  }
}

/// Waits for a condition, looking often at first and 20 times a second later.
///
/// The limit, in seconds, is for conditions that never come true: a busy machine takes its time.
/// - Throws: when it has not come true in time; says what was waited for.
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
