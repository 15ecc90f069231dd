import TestSupport
import Testing
import WorkQueue

@testable import workq

@Suite(.units) struct ArgumentTests {
  @Test(
    arguments: [
      ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000), ("7", 7000),
      ("0", 0), ("1.5s", 1500), ("0.25", 250), ("0.5ms", 0.5),
    ] as [(String, Double)])
  func `parses a duration with a unit, or a bare number as seconds`(text: String, milliseconds: Double) {
    #expect(TimeSpan(argument: text)?.duration == .milliseconds(milliseconds))
  }

  @Test(arguments: [
    "", "s", "ms", "-1", "-1s", "+1", "1 s", " 1", "1x", "1sm", "1e3", "0x10", "nan", "inf", "1.2.3", ".",
    "99999999999999999999d", "١",
  ])
  func `refuses a malformed or too large duration`(text: String) {
    #expect(TimeSpan(argument: text) == nil)
  }

  @Test(arguments: [
    ("publsh", "publish"), ("PUBLISH", "publish"), ("wrk", "work"), ("wokr", "work"), ("works", "work"),
    ("stat", "status"), ("pub", "publish"), ("hlep", "help"), ("delcare", "declare"), ("p", nil),
    ("pu", nil), ("xyzzy", nil), ("", nil), ("\u{1b}[2J", nil),
  ])
  func `refuses an unknown subcommand, suggesting a similar one if any`(name: String, meant: String?) throws {
    let hint = meant.map { "; did you mean '\($0)'?" } ?? ""
    for arguments in [[name, "x"], ["help", name]] {
      let failure = #expect(throws: Failure.self) { try Invocation.parse(arguments) }
      #expect(failure?.status == .usage)
      #expect(
        failure?.message == "there is no subcommand '\(Quoted.plain(name))'\(hint) (see 'workq --help')")
    }
  }

  @Test(arguments: [
    ("send", "publish"), ("enqueue", "publish"), ("consume", "work"), ("worker", "work"), ("ls", "status"),
    ("list", "status"), ("ping", "status"), ("delete", "purge --delete"), ("version", "--version"),
  ])
  func `suggests workq's name when given another program's subcommand`(theirs: String, ours: String) {
    let failure = #expect(throws: Failure.self) { try Invocation.parse([theirs]) }
    #expect(failure?.message == "there is no subcommand '\(theirs)' (use 'workq \(ours)')")
  }

  @Test func `arguments that are not UTF-8 keep their bytes when converted to text and back`() {
    var random = SeededRandom(seed: 2)
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
        UInt8.random(in: 1...255, using: &random)
      }
      #expect(RawArguments.bytes(of: RawArguments.text(of: bytes)) == bytes)
    }
    let private10FF = Array("\u{10ff41}\u{10ffff}".utf8)
    #expect(RawArguments.bytes(of: RawArguments.text(of: private10FF)) == private10FF)
    #expect(RawArguments.text(of: Array("plain Käse".utf8)) == "plain Käse")
    #expect(RawArguments.isEscaped(RawArguments.text(of: [0xff])))
  }

  @Test(arguments: ["publish", "work", "status", "peek", "move a b", "declare", "purge"])
  func `every subcommand without options keeps the default settings`(commandLine: String) throws {
    let arguments = commandLine.split(separator: " ").map(String.init)
    var expected = Settings()
    expected.operands = Array(arguments.dropFirst())
    try expect(CommandLines.settings(arguments), equals: expected)
  }

  @Test(arguments: [
    ["publish", "--persistent", "--transient"], ["publish", "--confirm-timeout", "soon"],
    ["work", "--prefetch", "-1"], ["work", "--prefetch", "65536"], ["work", "now"],
    ["declare", "--check", "--transient"], ["declare", "--durable", "--transient"],
    ["purge", "--quiet", "--verbose"], ["purge", "--if-empty"], ["purge", "--if-unused"],
    ["declare", "--check", "--bind", "e:k"], ["declare", "--check", "--max-length", "3"],
    ["declare", "--type", "quorum", "--transient"], ["declare", "--type", "stream", "--auto-delete"],
    ["declare", "--type", "odd"], ["declare", "--max-priority", "0"], ["declare", "--max-priority", "256"],
    ["declare", "--bind", "e"], ["declare", "--bind", ":k"], ["declare", "--max-bytes", "1x"],
    ["declare", "--arg", "x"], ["declare", "--arg", "x:=y"], ["declare", "--overflow", "x"],
    ["status", "--watch", "0"], ["status", "--watch", "1x"], ["status", "--watch", "--max-waiting", "1"],
    ["status", "--max-waiting", "-1"], ["move"], ["move", "a"], ["move", "a", "a"],
    ["move", "a", "b", "--count", "0"], ["move", "a", "b", "--match", "x"], ["peek", "--count", "0"],
    ["peek", "--raw", "--json"], ["peek", "a", "b"], ["publis"], ["publish", "--colour", "never"],
  ])
  func `the parser refuses an invalid command line with a one-line usage error`(arguments: [String]) {
    let failure = #expect(throws: Failure.self) { try CommandLines.settings(arguments) }
    #expect(failure?.status == .usage)
    #expect(failure?.message.contains("\n") == false)
  }
}
