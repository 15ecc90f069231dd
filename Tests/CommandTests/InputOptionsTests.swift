import TestSupport
import Testing

@testable import workq

@Suite(.units) struct InputOptionsTests {
  @Test(
    arguments: [
      ("", []), (",", [0x2c]), (#"\n"#, [10]), (#"\r\n"#, [13, 10]), (#"\t"#, [9]), (#"\0"#, [0]),
      (#"\\"#, [0x5c]), (#"\\n"#, [0x5c, 0x6e]), (#"\x00\xFf"#, [0, 255]), (#"a\x41b"#, [0x61, 0x41, 0x62]),
      ("é", [0xc3, 0xa9]), (#"END\n"#, [0x45, 0x4e, 0x44, 10]),
    ] as [(String, [UInt8])])
  func `decodes escape sequences in a delimiter`(text: String, bytes: [UInt8]) {
    #expect(InputSettings.unescaped(Array(text.utf8)) == bytes)
  }

  @Test(arguments: [
    #"\"#, #"a\"#, #"\x"#, #"\x1"#, #"\xg0"#, #"\x+1"#, #"\x１"#, #"\a"#, #"\N"#, #"\é"#, #"\ "#,
  ])
  func `refuses an unknown or incomplete escape sequence in a delimiter`(text: String) {
    #expect(InputSettings.unescaped(Array(text.utf8)) == nil)
  }

  @Test func `accepts a delimiter that is not UTF-8`() {
    #expect(InputSettings.unescaped([0xff, 0xfe]) == [0xff, 0xfe])
  }

  @Test(arguments: [
    ["--lines", "--null"], ["--lines", "--jsonl"], ["-0", "-D", "x"], ["-D", ""], ["-D", #"\q"#],
    ["-l", "word"], ["-f", "file", "word"], ["--failed-to", "f"], ["--failed-to", "f", "-f", "a"],
    ["-l", "-f", "-", "-f", "-"], ["--print-id", "--json"], ["-e", "x", "-q", "y"], ["-r", "key"],
    ["-e", "x", "--delay", "1s"], ["-e", "x", "--unless-waiting", "3"], ["--delay", "50d"],
    ["--priority", "256"], ["--priority", "-1"], ["--ttl", "soon"], ["-H", "no value"], ["-H", "=x"],
    ["-H", "n:=word"], ["--flush-spool", "word"], ["--flush-spool", "-l"], ["--spool-directory="],
    ["--unless-waiting", "-1"], ["-e", String(repeating: "e", count: 256)],
    ["-e", "x", "-r", String(repeating: "r", count: 256)],
  ])
  func `publish refuses contradictory options and invalid values`(options: [String]) {
    let failure = #expect(throws: Failure.self) { try CommandLines.settings(["publish"] + options) }
    #expect(failure?.status == .usage)
  }

  @Test(arguments: [
    ["-l"], ["-0"], ["-D", #"\x00\n"#], ["--jsonl", "--json"], ["-f", "a", "-f", "b"], ["-l", "-f", "-"],
    ["-l", "--failed-to", "f"], ["-e", "x", "-r", "key"], ["-e", "x", "--delay", "0"], ["--delay", "49d"],
    ["--flush-spool"], ["--spool", "word"], ["-e", "x", "--spool", "word"],
    ["-H", "a=b", "-H", "a: b", "-H", "a:=1", "-H", "a:=true", "-H", "a:=1.5", "word"],
  ])
  func `publish accepts valid combinations of options`(options: [String]) {
    #expect(throws: Never.self) { try CommandLines.settings(["publish"] + options) }
  }
}
