import Foundation
import TestSupport
import Testing

/// A broker that stops responding after each of its replies in turn, plain and over TLS.
///
/// Each point is tested with each command of the list below.
@Suite(.silent) struct FrozenPeerTests {
  /// A subcommand and its arguments; Q and R stand for the queues' names.
  struct Command: CustomTestStringConvertible, Sendable {
    let arguments: [String]
    var input: String?
    var testDescription: String { arguments.joined(separator: " ") }
  }

  enum Wire: CaseIterable {
    case plain, tls

    var unit: FaultProxy.Unit { self == .plain ? .frame : .record }
  }

  static let commands = [
    Command(arguments: ["publish", "-q", "Q", "task"]),
    Command(arguments: ["publish", "-q", "Q", "-l"], input: "one\ntwo\nthree\n"),
    Command(arguments: ["publish", "-q", "Q", "--unless-waiting", "99", "task"]),
    Command(arguments: ["publish", "-q", "Q", "--delay", "1h", "task"]),
    Command(arguments: ["declare", "Q", "--type", "classic"]), Command(arguments: ["status", "Q"]),
    Command(arguments: ["peek", "Q"]), Command(arguments: ["purge", "--force", "Q"]),
    Command(arguments: ["move", "Q", "R"]),
    Command(arguments: ["work", "-q", "Q", "--fake", "--dot", "0", "--drain"]),
    Command(arguments: ["work", "-q", "Q", "--drain", "--", "sh", "-c", "exit 1"]),
  ]

  /// One run of a command, with its own proxy and its own queues: Q has three tasks, and R exists if it is named.
  private final class Run {
    let proxy: FaultProxy
    let queue = freshQueue("frozen")
    private let command: Command
    private let wire: Wire
    private let broker: Broker

    init(_ command: Command, _ wire: Wire) throws {
      (self.command, self.wire) = (command, wire)
      broker = try wire == .plain ? Broker.shared : TLSBroker.shared.get()
      let port = wire == .plain ? broker.port : try #require(URL(string: TLSBroker.url())?.port)
      proxy = try FaultProxy(toPort: port)
      let published = try Program.workq("publish", "-l", "-q", queue).at(broker).run(
        input: Array("a\nb\nc\n".utf8))
      try #require(published.status == 0, "\(published.error)")
      guard command.arguments.contains("R") else { return }
      try expect(Program.workq("declare", "\(queue)-2").at(broker).run().status, equals: 0)
    }

    deinit { proxy.stop() }

    func start(_ options: [String], failsOver: Bool = false) throws -> RunningProgram {
      var arguments = command.arguments.map { $0 == "Q" ? queue : $0 == "R" ? "\(queue)-2" : $0 }
      arguments.insert(contentsOf: ["--connect-timeout", "5s"] + options, at: 1)
      if arguments[0] == "publish" { arguments.insert(contentsOf: ["--confirm-timeout", "6s"], at: 1) }
      let direct = try wire == .plain ? broker.url : TLSBroker.url()
      let port = try #require(URL(string: direct)?.port)
      let silent = direct.replacing(":\(port)", with: ":\(proxy.port)")
      let url = failsOver ? "\(silent),\(direct)" : silent
      var program = try wire == .plain ? Program.workq(arguments) : TLSBroker.workq(arguments, url: url)
      program.environment["AMQP_URL"] = url
      return try program.start(input: command.input.map { Array($0.utf8) })
    }
  }

  /// The number of frames or TLS records that each of a command's connections receives when nothing freezes.
  private func count(_ command: Command, _ wire: Wire) throws -> [Int] {
    let run = try Run(command, wire)
    run.proxy.freeze(0, after: 0, wire.unit)
    let result = try run.start(["--heartbeat", "0"]).end()
    try #require(result.status <= 1, "\(result.error)")
    return run.proxy.unitsPassed
  }

  /// Runs a command once for each point at which a connection can freeze, all at the same time.
  private func forEachPoint(
    _ command: Command, _ wire: Wire, _ options: [String], failsOver: Bool = false,
    _ check: (Run, RunningProgram, _ point: String) throws -> Void
  ) throws {
    var runs: [(run: Run, program: RunningProgram, point: String)] = []
    for (index, units) in try count(command, wire).enumerated() {
      for unit in 0..<units {
        let run = try Run(command, wire)
        run.proxy.freeze(index + 1, after: unit, wire.unit)
        let program = try run.start(options, failsOver: failsOver)
        runs.append((run, program, "connection \(index + 1) after \(unit) of \(units)"))
      }
    }
    try #require(runs.count >= 4)
    for (run, program, point) in runs { try check(run, program, point) }
  }

  @Test(arguments: commands, Wire.allCases)
  func `exits with a documented code when the broker stops responding`(command: Command, wire: Wire) throws {
    let bounded =
      command.arguments[0] == "work" ? ["--heartbeat", "2s", "--no-reconnect"] : ["--heartbeat", "2s"]
    try forEachPoint(command, wire, bounded) { run, program, point in
      let result = try program.end(within: 60)
      let codes: Set<Int32> = [0, 1, 3, 69, 75]
      #expect(codes.contains(result.status), "\(point): \(result.status) \(result.error)")
      if result.status > 1 {
        #expect(
          result.error.split(separator: "\n").last?.hasPrefix("workq: ") == true, "\(point): \(result.error)")
      }
    }
  }

  @Test(arguments: commands, Wire.allCases)
  func `two signals end the program while the broker is silent`(command: Command, wire: Wire) throws {
    try forEachPoint(command, wire, ["--heartbeat", "0"]) { run, program, point in
      try waitUntil("\(point): silence") { run.proxy.hasFrozen || !program.isRunning }
      program.signal(SIGTERM)
      program.signal(SIGINT)
      // A timeout would end the program after 30 s.
      let result = try program.end(within: 25)
      let codes: Set<Int32> = [0, 1, 69, 75, 128 + SIGTERM, 128 + SIGINT]
      #expect(codes.contains(result.status), "\(point): \(result.status) \(result.error)")
    }
  }

  @Test(arguments: commands, Wire.allCases)
  func `fails over to the next host when the first stops responding`(command: Command, wire: Wire) throws {
    // A purge or a move is not repeated automatically once it has removed or moved tasks.
    let stopsHalfway = ["purge", "move"].contains(command.arguments[0])
    var succeeded = 0
    try forEachPoint(command, wire, ["--heartbeat", "2s"], failsOver: true) { run, program, point in
      let result = try program.end(within: 60)
      if result.status == 0 { succeeded += 1 }
      let codes: Set<Int32> = stopsHalfway ? [0, 69] : [0]
      #expect(codes.contains(result.status), "\(point): \(result.status) \(result.error)")
    }
    // At least at each point of the login and the passive declare.
    #expect(succeeded >= 5)
  }

  @Test func `a request times out with 75 when heartbeats are off and the broker is silent`() throws {
    let run = try Run(Command(arguments: ["status", "Q"]), .plain)
    run.proxy.freeze(1, after: 4, .frame)
    let result = try run.start(["--heartbeat", "0"]).end()
    #expect(result.status == 75)
    #expect(
      result.error.contains("cannot look at queue '\(run.queue)': no answer in time"), "\(result.error)")
  }
}
