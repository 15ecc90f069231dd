import Foundation
import TestSupport
import Testing

@testable import workq

@Suite(.units) struct QuotedTests {
  @Test(arguments: [
    ("First message.", "'First message.'"), ("", "''"), ("it's", #""it's""#),
    (#"it's "so""#, #"'it\'s "so"'"#), (#"say "hi""#, #"'say "hi"'"#), ("a\nb\r\t\\", #"'a\nb\r\t\\'"#),
    ("\u{0}\u{1b}[2J\u{7f}", #"'\x00\x1b[2J\x7f'"#), ("Käse 🧀 日本", "'Käse 🧀 日本'"),
    ("\u{a0}\u{ad}\u{200b}\u{2028}\u{e000}\u{e0001}", #"'\xa0\xad\u200b\u2028\ue000\U000e0001'"#),
  ])
  func `quotes text like Python's repr`(text: String, expected: String) {
    #expect(Quoted.bytes(Array(text.utf8)) == expected)
  }

  @Test func `quotes bytes that are not UTF-8 like Python's repr of bytes`() {
    #expect(Quoted.bytes([0xff, 0x41, 0, 0x27, 0x0a, 0x5c]) == #"b"\xffA\x00'\n\\""#)
  }

  /// The random text has assigned characters only: Python versions differ in which are unassigned.
  @Test(.alone) func `quotes random text and bytes exactly like the installed Python`() throws {
    var random = SeededRandom(seed: 1)
    let ranges: [ClosedRange<UInt32>] = [
      0...0x7f, 0...0x2ff, 0x400...0x44f, 0x2000...0x206f, 0x4e00...0x4fff,
    ]
    var bodies: [[UInt8]] = (0..<500).map { _ in
      let scalars = (0..<Int.random(in: 0...20, using: &random)).compactMap { _ in
        ranges.randomElement(using: &random).flatMap { Unicode.Scalar(.random(in: $0, using: &random)) }
      }
      return Array(scalars.map(String.init).joined().utf8)
    }
    bodies += (0..<500).map { _ in
      (0..<Int.random(in: 1...20, using: &random)).map { _ in .random(in: 0...255, using: &random) }
    }
    let script = """
      import sys
      for line in sys.stdin:
          body = bytes.fromhex(line)
          try: shown = repr(body.decode())
          except UnicodeDecodeError: shown = repr(body)
          sys.stdout.buffer.write(shown.encode() + b"\\n")
      """
    let input = bodies.map { $0.map { String(format: "%02x", $0) }.joined() + "\n" }.joined()
    let python = try Program("/usr/bin/python3", ["-c", script]).run(input: Array(input.utf8))
    #expect(python.status == 0, "\(python.error)")
    let lines = python.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(lines.count == bodies.count)
    for (body, line) in zip(bodies, lines) { #expect(Quoted.bytes(body) == line) }
  }
}
