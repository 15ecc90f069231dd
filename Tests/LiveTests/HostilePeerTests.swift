import Foundation
import TestSupport
import Testing

/// Brokers that violate the protocol, one for each case.
///
/// At any step, they send a frame that is truncated, too long, out of order or malformed.
///
/// Every command exits by itself with a documented exit code and sanitized messages.
@Suite(.busy) struct HostilePeerTests {
  struct Command: CustomTestStringConvertible {
    let arguments: [String]
    var input: String?
    var testDescription: String { arguments.joined(separator: " ") }
  }

  static let commands = [
    Command(arguments: ["publish", "-l", "-q", "q", "--confirm-timeout", "30s"], input: "one\ntwo\nthree\n"),
    Command(arguments: ["publish", "-q", "q", "--confirm-timeout", "30s", "--unless-waiting", "9", "task"]),
    Command(arguments: [
      "work", "-q", "q", "--no-reconnect", "--idle-timeout", "1s", "--count", "2", "--dot", "0",
    ]),
    Command(
      arguments: ["work", "-q", "q", "--no-reconnect", "--max-time", "5s", "--drain", "-v", "--", "sh", "-c"]
        + ["cat >&2; exit 65"]),
    Command(arguments: ["status", "q"]), Command(arguments: ["move", "q", "r"]),
    Command(arguments: ["peek", "q"]),
    Command(arguments: ["declare", "q", "--max-length", "5"]), Command(arguments: ["purge", "--force", "q"]),
  ]

  private static let codes: Set<Int32> = [0, 1, 3, 65, 69, 70, 75, 77, 78]

  /// The allowed exit codes of the default cases by kind of violation, in the order of the script's list.
  ///
  /// The code mostly depends on the step at which the violation happens. It is always 69 before the login,
  /// and when the broker closes the connection because a busy machine delayed the command. It is 3 when some
  /// of several tasks have been published by then.
  private static let codesByKind: [(kind: String, codes: Set<Int32>)] = [
    ("truncate", [0]), ("stop", [70]), ("flip", [0, 70]), ("length", [0, 70]), ("end", [70]),
    ("type", [0, 70]), ("channel", [0]), ("method", [0, 70]), ("arguments", [70]), ("twice", [0, 70]),
    ("skip", [0, 70]), ("beats", [0]), ("garbage", [70]), ("close", [0, 65, 70]),
    ("closeChannel", [0, 70, 78]), ("blocked", [0]), ("body", [0, 70]), ("size", [0, 70]),
    ("headers", [0, 70]), ("reset", [0]), ("cancel", [0, 78]), ("return", [0]), ("confirm", [0]),
    ("late", [0]),
  ]

  /// Further cases, which only WORKQ_FUZZ enables, may end with any documented code.
  private static func codes(of number: Int) -> Set<Int32> {
    number < 48 ? codesByKind[number % codesByKind.count].codes.union([3, 69]) : codes
  }

  @Test(arguments: commands)
  func `exits with an expected code when the broker violates the protocol`(command: Command) throws {
    let count = Fuzz.count(48)
    let script = "\(TestEnvironment.repository)/Tests/TestSupport/hostile-broker"
    let peer = try Program("/usr/bin/python3", [script, "\(count)"]).start()
    try peer.waitForOutput("\n", count: count)
    let ports = Array(peer.output.split(separator: "\n").enumerated())
    var seen: [Int32: Int] = [:]
    // Twelve at a time: programs and brokers mostly wait for each other.
    for start in stride(from: 0, to: count, by: 12) {
      let running = try ports[start..<min(count, start + 12)].map { number, port in
        let arguments = [command.arguments[0], "--connect-timeout", "5s"] + command.arguments.dropFirst()
        var program = Program.workq(arguments)
        program.environment["AMQP_URL"] = "amqp://127.0.0.1:\(port)"
        return (number, try program.start(input: command.input.map { Array($0.utf8) }))
      }
      for (number, program) in running {
        let result = try program.end(within: 60)
        seen[result.status, default: 0] += 1
        let isExpected = Self.codes(of: number).contains(result.status)
        #expect(isExpected, "case \(number): \(result.status) \(result.error)")
        let lines = result.error.split(separator: "\n")
        let controls = result.error.unicodeScalars.filter { $0.value < 0x20 }
        #expect(Set(controls).isSubset(of: ["\n"]), "case \(number)")
        #expect(!lines.contains { $0.hasPrefix("workq: all is well") }, "case \(number): \(result.error)")
        if result.status != 0 {
          #expect(lines.last?.hasPrefix("workq: ") == true, "case \(number): \(result.error)")
        }
      }
    }
    #expect(seen.count > 1, "\(seen)")
    #expect(seen[0] != count, "\(seen)")
  }
}
