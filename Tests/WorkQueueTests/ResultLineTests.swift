import Foundation
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct ResultLineTests {
  private func read(_ text: String) -> ResultLine? { ResultLine(Array(text.utf8)[...]) }

  @Test(
    arguments: [
      ("0", ResultLine(status: 0)), ("255", ResultLine(status: 255)), ("007", ResultLine(status: 7)),
      ("1\r", ResultLine(status: 1)), ("0 ", ResultLine(status: 0)),
      ("#17 0", ResultLine(task: 17, status: 0)),
      ("75 retry-in=37", ResultLine(status: 75, retryIn: .seconds(37))),
      ("75 retry-in=500ms", ResultLine(status: 75, retryIn: .milliseconds(500))),
      (
        "#2 75 retry-in=5m try later: it is full",
        ResultLine(task: 2, status: 75, retryIn: .seconds(300), reason: "try later: it is full")
      ),
      ("65 not a picture", ResultLine(status: 65, reason: "not a picture")),
      ("1 a retry-in=5s", ResultLine(status: 1, reason: "a retry-in=5s")),
    ] as [(String, ResultLine)])
  func `reads a status with an optional task number, delay and reason`(text: String, line: ResultLine) {
    #expect(read(text) == line)
  }

  @Test(arguments: [
    "", " ", " 0", "ok", "-1", "256", "1.0", "0x1", "#", "#1", "# 0", "#0 0", "#x 0", "#1 x", "0,", "١",
    "75 retry-in=", "75 retry-in=soon", "75 retry-in=-5", "99999999999999999999",
    "#99999999999999999999 0",
  ])
  func `refuses a line that is not a result`(text: String) {
    #expect(read(text) == nil)
  }

  @Test func `cuts a reason to 1024 bytes between characters, and refuses a line over 4096 bytes`() {
    let reason = read("1 " + String(repeating: "é", count: 1000))?.reason
    #expect(reason == String(repeating: "é", count: 512))
    #expect(read("1 x" + String(repeating: "é", count: 1000))?.reason?.utf8.count == 1023)
    #expect(read("1 " + String(repeating: "x", count: 4094))?.reason?.utf8.count == 1024)
    #expect(read("1 " + String(repeating: "x", count: 4095)) == nil)
  }

  @Test func `replaces control characters, bidi overrides and invalid UTF-8 in a reason`() {
    let bytes = Array("1 a\u{1b}[2Jb\tc\u{9b}d\u{202e}e".utf8) + [0xff, 0x66]
    #expect(ResultLine(bytes[...])?.reason == "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}f")
  }

  @Test func `a random result line is unchanged when it is read, formatted and read again`() {
    var random = SeededRandom(seed: 31)
    let pieces = [
      "#", "#1", " ", "0", "7", "255", "256", "retry-in=", "5m", "1.5", "ms", "reason", "é", "\r", "\u{1b}",
      "-", "18446744073709551616",
    ]
    var accepted = 0
    for _ in Fuzz.cases(20_000) {
      let bytes = random.nonsense(pieces, upTo: 8)
      guard let line = ResultLine(bytes[...]) else { continue }
      accepted += 1
      let task = line.task.map { "#\($0) " } ?? ""
      let retry = line.retryIn.map { " retry-in=\(TimeSpan($0).milliseconds)ms" } ?? ""
      let again = read("\(task)\(line.status)\(retry)\(line.reason.map { " \($0)" } ?? "")")
      let isSame = again?.task == line.task && again?.status == line.status && again?.reason == line.reason
      if !isSame || !(0...255).contains(line.status) || (line.task ?? 1) < 1 {
        Issue.record("\(bytes) \(line) \(again as Any)")
      }
    }
    #expect(accepted > 500)
  }
}

@Suite(.units) struct ResultChannelTests {
  private func write(_ text: String, to channel: ResultChannel) throws {
    let bytes = Array(text.utf8)
    try #require(
      bytes.withUnsafeBytes { Glibc.write(channel.writeEnd, $0.baseAddress, $0.count) } == bytes.count)
  }

  private func lines(_ channel: ResultChannel) -> [String] {
    var lines: [String] = []
    while let line = channel.nextLine() { lines.append(String(decoding: line, as: UTF8.self)) }
    return lines
  }

  @Test func `returns lines when they are complete, and the incomplete rest on request`() throws {
    let channel = try ResultChannel()
    #expect(!channel.fill())
    #expect(lines(channel) == [])
    try write("0\n1 o", to: channel)
    #expect(channel.fill())
    #expect(lines(channel) == ["0"])
    try write("n\n\n#3", to: channel)
    channel.fill()
    #expect(lines(channel) == ["1 on", ""])
    let rest = channel.rest().map { String(decoding: $0, as: UTF8.self) }
    #expect(rest == "#3")
    #expect(channel.rest() == nil)
  }

  @Test func `limits an incomplete line to 4096 bytes, and reports that the line is too long`() throws {
    let channel = try ResultChannel()
    try write(String(repeating: "x", count: 4096), to: channel)
    channel.fill()
    #expect(channel.nextLine() == nil)
    try write("x", to: channel)
    channel.fill()
    let line = try #require(channel.nextLine())
    #expect(ResultLine(line) == nil)
    #expect(
      ResultChannel.complaint(about: line).hasPrefix("a line of more than 4096 bytes on descriptor 3: 'xxx"))
    #expect(channel.nextLine() == nil)
  }

  @Test func `quotes an invalid result line in the message`() {
    let complaint = ResultChannel.complaint(about: Array("done\u{7}".utf8)[...])
    #expect(complaint == "no result on descriptor 3: 'done\u{fffd}'")
  }
}
