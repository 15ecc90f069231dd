import TestSupport
import Testing

@testable import workq

/// Every pair of publish options is either accepted or refused with a reason.
@Suite(.units) struct PublishPairTests {
  /// Each option with a valid value, and with any option that it requires.
  private static let options: [(name: String, arguments: [String])] = [
    ("words", ["word"]), ("--lines", ["-l"]), ("--null", ["-0"]), ("--delimiter", ["-D", "x"]),
    ("--jsonl", ["--jsonl"]), ("--file", ["-f", "a"]), ("--failed-to", ["-l", "--failed-to", "f"]),
    ("--persistent", ["--persistent"]), ("--transient", ["--transient"]), ("--header", ["-H", "a=b"]),
    ("--priority", ["--priority", "1"]), ("--ttl", ["--ttl", "1s"]), ("--delay", ["--delay", "1s"]),
    ("--content-type", ["-C", "t"]), ("--content-encoding", ["--content-encoding", "gzip"]),
    ("--message-id", ["--message-id", "m"]), ("--correlation-id", ["--correlation-id", "c"]),
    ("--reply-to", ["--reply-to", "r"]), ("--type", ["--type", "t"]), ("--app-id", ["--app-id", "a"]),
    ("--user-id", ["--user-id", "u"]), ("--exchange", ["-e", "x"]),
    ("--routing-key", ["-e", "x", "-r", "k"]),
    ("--no-declare", ["--no-declare"]), ("--no-confirm", ["--no-confirm"]),
    ("--confirm-timeout", ["--confirm-timeout", "1s"]), ("--retry-for", ["--retry-for", "1s"]),
    ("--unless-waiting", ["--unless-waiting", "1"]), ("--print-id", ["--print-id"]), ("--spool", ["--spool"]),
    ("--spool-directory", ["--spool-directory", "d"]), ("--flush-spool", ["--flush-spool"]),
    ("--queue", ["-q", "q"]), ("--url", ["-u", "amqp://h"]), ("--url-file", ["--url-file", "f"]),
    ("--json", ["--json"]), ("--quiet", ["--quiet"]), ("--verbose", ["-v"]),
  ]

  private static let records = ["--lines", "--null", "--delimiter", "--jsonl", "--failed-to"]

  /// The refused pairs, each with text from its error message.
  private static let refused: [(one: String, others: [String], message: String)] = [
    ("words", records + ["--file"], "by words, or by an input option"),
    ("--lines", ["--null", "--delimiter", "--jsonl"], "exclude each other"),
    ("--null", ["--delimiter", "--jsonl", "--failed-to"], "exclude each other"),
    ("--delimiter", ["--jsonl", "--failed-to"], "exclude each other"),
    ("--jsonl", ["--failed-to"], "exclude each other"),
    ("--persistent", ["--transient"], "exclude each other"),
    ("--ttl", ["--delay"], "RabbitMQ removes the TTL when the delay ends"),
    ("--delay", ["--exchange", "--routing-key"], "does not go with --exchange"),
    ("--exchange", ["--queue"], "exclude each other"), ("--routing-key", ["--queue"], "exclude each other"),
    ("--unless-waiting", ["--exchange", "--routing-key"], "which --exchange does not name"),
    ("--no-confirm", ["--spool", "--spool-directory", "--flush-spool"], "it is not known what must be kept"),
    ("--no-confirm", ["--failed-to"], "it is not known what failed"),
    ("--print-id", ["--json"], "leave --print-id out"),
    ("--url", ["--url-file"], "exclude each other"), ("--quiet", ["--verbose"], "exclude each other"),
    ("--flush-spool", ["words", "--file"] + records, "no task goes with it"),
    (
      "--flush-spool",
      [
        "--persistent", "--transient", "--header", "--priority", "--ttl", "--delay", "--content-type",
        "--content-encoding", "--message-id", "--correlation-id", "--reply-to", "--type", "--app-id",
        "--user-id",
      ], "leave out the options about properties"
    ),
    ("--flush-spool", ["--exchange", "--routing-key"], "leave out --exchange"),
    ("--flush-spool", ["--unless-waiting"], "leave out --unless-waiting"),
    ("--flush-spool", ["--print-id"], "leave out --print-id"),
    ("--flush-spool", ["--queue"], "leave out --queue"),
  ]

  private static func reason(_ one: String, _ other: String) -> String? {
    refused.first {
      $0.one == one && $0.others.contains(other) || $0.one == other && $0.others.contains(one)
    }?
    .message
  }

  private func message(_ arguments: [String]) -> String? {
    do {
      _ = try CommandLines.settings(["publish"] + arguments)
      return nil
    } catch {
      #expect(error.status == .usage)
      return error.message
    }
  }

  @Test(arguments: options.map(\.name))
  func `publish accepts a pair of options or refuses it with the reason`(name: String) throws {
    let index = try #require(Self.options.firstIndex { $0.name == name })
    let one = Self.options[index]
    for other in Self.options[(index + 1)...] {
      let message = message(one.arguments + other.arguments)
      if let reason = Self.reason(name, other.name) {
        #expect(message?.contains(reason) == true, "\(name) \(other.name): \(message ?? "taken")")
      } else {
        #expect(message == nil, "\(name) \(other.name)")
      }
    }
  }

  @Test func `publish accepts each option on its own`() {
    for option in Self.options { #expect(message(option.arguments) == nil, "\(option.name)") }
  }

  @Test func `publish refuses --unless-waiting 0`() {
    #expect(message(["--unless-waiting", "0", "x"])?.contains("would never publish") == true)
  }
}
