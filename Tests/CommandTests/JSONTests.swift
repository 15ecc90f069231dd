import Foundation
import TestSupport
import Testing
import WorkQueue

@testable import workq

@Suite(.units) struct JSONTests {
  @Test func `writes JSON that Foundation reads as the same value`() throws {
    let value = JSONValue.object([
      "text": .text("é\u{0}\n\"\\/\u{7f}\u{9f}\u{a0}\u{1f600}"), "whole": .number(5), "part": .number(0.1),
      "huge": .number(1e300), "most": .unsigned(.max), "least": .integer(.min),
      "list": .array([.null, .boolean(true), .object([:])]),
    ])
    let read = try JSONSerialization.jsonObject(with: Data(value.bytes)) as? NSDictionary
    #expect(
      read == [
        "text": "é\u{0}\n\"\\/\u{7f}\u{9f}\u{a0}\u{1f600}", "whole": 5, "part": 0.1, "huge": 1e300,
        "most": UInt64.max, "least": Int64.min, "list": [NSNull(), true, [:] as NSDictionary] as NSArray,
      ])
  }

  @Test func `sorts keys and omits a key without a value`() {
    let object: JSONObject = [.waiting: 3, .error: String?.none, .queue: "q", .code: 1 as Int32]
    #expect(object.line == #"{"code":1,"queue":"q","waiting":3}"#)
  }

  @Test(arguments: [
    (Duration.milliseconds(1500), "1.5"), (.seconds(3600), "3600"), (.nanoseconds(1_234_567), "0.001235"),
  ])
  func `writes a duration in seconds, rounded to microseconds`(duration: Duration, text: String) {
    #expect(String(decoding: duration.json.bytes, as: UTF8.self) == text)
  }

  @Test func `escapes control characters that a terminal would interpret`() {
    let line = JSONObject(dictionaryLiteral: (.body, "\u{1b}[2J\u{7f}\u{9b}31mé")).line
    #expect(line == #"{"body":"\u001b[2J\u007f\u009b31mé"}"#)
  }

  @Test(arguments: [
    ("{\"a\":1,\"a\":2}", #"{"a":2}"#), (" [1 , 2]\t", "[1,2]"), ("[1,]", "[1]"), ("{\"a\":1,}", "{\"a\":1}"),
    (#""\/\b\f\u00E9""#, "\"/\\u0008\\u000cé\""),
    ("-0", "0"), ("1.0", "1"), ("1E2", "100"), ("0.5e-1", "0.05"),
    ("18446744073709551616", "1.8446744073709552e+19"),
  ])
  func `reads JSON and writes it in normalized form`(text: String, written: String) throws {
    try expect(String(decoding: JSONParser.value(Array(text.utf8)).bytes, as: UTF8.self), equals: written)
  }

  @Test(arguments: [
    "", "01", "1.", ".5", "+1", "-", "1e", "1e+", "nul", "truex", "[,1]", "[1,,]", "[,]", "{\"a\"}",
    "{a:1}",
    "\"\\x\"", "\"\\u12\"", "\"\\u+123\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"a", "\"\t\"", "[1", "1 2",
    "NaN", "\u{feff}1",
  ])
  func `refuses malformed JSON`(text: String) {
    #expect(throws: JSONParser.Malformed.self) { try JSONParser.value(Array(text.utf8)) }
  }

  /// Foundation's strict parser is the reference.
  @Test func `agrees with Foundation on whether damaged JSON is valid, and on its value`() throws {
    var random = SeededRandom(seed: 41)
    let text = Array(#"{"k":[1,-2.5e3,null,true,"é\n\u00e9\ud83e\uddc0"],"o":{"":""},"n":0}"#.utf8)
    var accepted = 0
    for _ in Fuzz.cases(20_000) {
      var damaged = text
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: 0..<damaged.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: damaged[index] = .random(in: 0x20...0x7e, using: &random)
        case 1: damaged.remove(at: index)
        default: damaged.insert(text.randomElement(using: &random)!, at: index)
        }
      }
      let judged = try? JSONSerialization.jsonObject(with: Data(damaged), options: .fragmentsAllowed)
      guard let value = try? JSONParser.value(damaged) else {
        if judged != nil { Issue.record("refused: \(String(decoding: damaged, as: UTF8.self))") }
        continue
      }
      accepted += 1
      let again = try? JSONSerialization.jsonObject(with: Data(value.bytes), options: .fragmentsAllowed)
      if (judged as? NSObject) != (again as? NSObject) {
        Issue.record("read differently: \(String(decoding: damaged, as: UTF8.self))")
      }
    }
    #expect(accepted > 500)
  }

  @Test func `encodes base64 like Foundation, and decodes it`() {
    var random = SeededRandom(seed: 42)
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      let text = Data(bytes).base64EncodedString()
      #expect(Base64.encoded(bytes) == text)
      #expect(Base64.decoded(text) == bytes)
    }
  }

  @Test(arguments: ["A", "AA", "AAA", "AA=A", "A===", "====", "AA==AAAA", "AA-_", "AAA\n", "AAAé"])
  func `refuses malformed base64`(text: String) {
    #expect(Base64.decoded(text) == nil)
  }

  @Test(arguments: [0, 951_782_400, 1_700_000_000, 253_402_300_799])
  func `formats ISO 8601 times like Foundation`(seconds: Int) {
    let expected = Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
    #expect(WallClock.iso8601(seconds) == expected)
  }

  @Test func `truncates a command's output at 16 MiB and sets the truncated flag`() {
    let captured = CapturedOutput()
    let piece = [UInt8](repeating: 0x61, count: 1 << 20)
    for _ in 0..<17 { captured.add(piece[...], .stdout) }
    var object: JSONObject = [:]
    captured.move(to: &object)
    #expect(object[.stdout] as? JSONValue == .text(String(repeating: "a", count: 16 << 20)))
    #expect(object[.truncated] as? JSONValue == .boolean(true))
    object = [:]
    captured.move(to: &object)
    #expect(object.line == "{}")
  }
}
