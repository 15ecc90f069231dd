import Foundation

/// A program to be run, with its arguments and what it finds in the environment.
public struct Program {
  public var path: String
  public var arguments: [String]
  public var environment = ProcessInfo.processInfo.environment

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
    return program
  }

  /// Runs the program to its end, or kills it and throws after `limit` seconds.
  ///
  /// `input` is what it finds on stdin; nil is /dev/null.
  public func run(input: [UInt8]? = nil, limit: Double = 60) throws -> Result {
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

/// A program that runs; whoever starts one ends it, also when the test fails (`defer`).
public final class RunningProgram {
  private let process = Process()
  private let directory: URL
  private let description: String
  private let typed = Pipe()

  init(_ program: Program, input: [UInt8]?) throws {
    description = ([program.path] + program.arguments).joined(separator: " ")
    directory = FileManager.default.temporaryDirectory.appending(path: "workq-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    process.executableURL = URL(filePath: program.path)
    process.arguments = program.arguments
    process.environment = program.environment
    process.standardOutput = try file("output")
    process.standardError = try file("error")
    if let input {
      let path = directory.appending(path: "input")
      try Data(input).write(to: path)
      process.standardInput = try FileHandle(forReadingFrom: path)
    } else if program.path.hasSuffix("/script") {
      process.standardInput = typed
    } else {
      process.standardInput = FileHandle.nullDevice
    }
    try process.run()
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: directory)
  }

  public var pid: Int32 { process.processIdentifier }
  public var isRunning: Bool { process.isRunning }
  public var output: String { String(decoding: bytes("output"), as: UTF8.self) }
  public var error: String { String(decoding: bytes("error"), as: UTF8.self) }

  public func signal(_ number: Int32) {
    kill(pid, number)
  }

  /// Types at a program that runs `inTerminal()`.
  public func type(_ text: String) throws {
    try typed.fileHandleForWriting.write(contentsOf: Data(text.utf8))
  }

  /// Waits until stdout has so many occurrences of a text.
  public func waitForOutput(
    _ text: String, count: Int = 1, within limit: Double = 30
  ) throws {
    try waitUntil("\(description) prints '\(text)' (so far: \(output)\(error))", within: limit) {
      output.ranges(of: text).count >= count
    }
  }

  public func waitForError(_ text: String, within limit: Double = 30) throws {
    try waitUntil("\(description) says '\(text)' (so far: \(output)\(error))", within: limit) {
      error.contains(text)
    }
  }

  /// Waits for the program's own end.
  public func end(within limit: Double = 30) throws -> Program.Result {
    do {
      try waitUntil("\(description) ends (so far: \(output)\(error))", within: limit) { !process.isRunning }
    } catch {
      kill(pid, SIGKILL)
      process.waitUntilExit()
      throw error
    }
    process.waitUntilExit()
    let wasKilled = process.terminationReason == .uncaughtSignal
    return Program.Result(
      status: process.terminationStatus + (wasKilled ? 128 : 0), outputBytes: bytes("output"), error: error)
  }

  private func file(_ name: String) throws -> FileHandle {
    let path = directory.appending(path: name)
    try Data().write(to: path)
    return try FileHandle(forWritingTo: path)
  }

  private func bytes(_ name: String) -> [UInt8] {
    (try? Data(contentsOf: directory.appending(path: name))).map { Array($0) } ?? []
  }
}

/// Waits for a condition, looking often.
///
/// - Throws: when it has not come true in time; says what was waited for.
public func waitUntil(
  _ what: @autoclosure () -> String, within limit: Double = 30, _ condition: () throws -> Bool
) throws {
  let end = Date.now.addingTimeInterval(limit)
  while try !condition() {
    guard Date.now < end else { throw TimedOut(what: what(), seconds: limit) }
    usleep(10_000)
  }
}

public struct TimedOut: Error, CustomStringConvertible {
  let what: String
  let seconds: Double
  public var description: String { "not within \(seconds) s: \(what)" }
}
