import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

/// A spool of 1.0.0: three records of `publish --jsonl`, and a task with `--transient --delay 1500ms`.
enum FormerSpool {
  private static let directory = "\(TestEnvironment.repository)/Tests/WorkQueueTests/SpoolOf1.0"

  /// A copy in the directory "spool" of a scratch directory.
  static func copy() throws -> Scratch {
    let scratch = try Scratch()
    try FileManager.default.copyItem(atPath: directory, toPath: "\(scratch.path)/spool")
    return scratch
  }

  static let envelopes: [Envelope] = {
    var tasks = [
      Envelope(Message(body: Array("all".utf8)), routingKey: "mail"),
      Envelope(Message(body: [0, 0xff, 0x0a]), routingKey: "mail"),
      Envelope(Message(body: []), exchange: "amq.topic", routingKey: "a.b"),
      Envelope(Message(body: Array("later".utf8)), routingKey: "mail", delay: .milliseconds(1500)),
    ]
    for index in tasks.indices {
      tasks[index].message.properties.messageID = "\(index + 1)"
      tasks[index].message.properties.deliveryMode = index == 3 ? .transient : .persistent
      tasks[index].message.properties.timestamp = 1_700_000_000 + UInt64(index)
    }
    tasks[3].message.properties.timestamp = 1_796_033_451
    tasks[0].message.properties.contentType = "text/plain"
    tasks[0].message.properties.contentEncoding = "utf-8"
    tasks[0].message.properties.correlationID = "c"
    tasks[0].message.properties.replyTo = "r"
    tasks[0].message.properties.type = "t"
    tasks[0].message.properties.appID = "a"
    tasks[0].message.properties.userID = "guest"
    tasks[0].message.properties.priority = 3
    tasks[0].message.properties.headers = [
      "large": .double(18_446_744_073_709_551_616),
      "list": .array([.int64(1), .text("two"), .array([.boolean(false)])]), "nothing": .void,
      "number": .int64(-5), "pi": .double(3.25), "table": .table(["k": .text("v")]),
      "text": .text("K\u{e4}se"), "truth": .boolean(true),
    ]
    tasks[2].message.properties.expiration = "60000"
    tasks[3].message.properties.headers = ["octets": .octets([0xff]), "n": .int64(1)]
    return tasks
  }()
}

/// A spool that 1.0 has written.
@Suite(.alone) struct FormerSpoolTests {
  private let scratch: Scratch
  private var directory: String { "\(scratch.path)/spool" }

  init() throws {
    scratch = try FormerSpool.copy()
  }

  private func envelopes(_ spool: borrowing Spool) throws -> [Envelope] {
    try spool.segments().flatMap { try spool.read($0) }
  }

  @Test func `reads the tasks of a version 1 spool before newly added tasks`() throws {
    let spool = try Spool(directory: directory)
    try expect(spool.segments().count, equals: 2)
    try spool.add([task("new")])
    try expect(envelopes(spool), equals: FormerSpool.envelopes + [task("new")])
  }

  @Test func `replaces a version 1 segment at the same place, in the new format`() throws {
    var spool = try Spool(directory: directory)
    let segments = try spool.segments()
    let rest = Array(try spool.read(segments[0]).dropFirst())
    try expect(spool.replace(segments[0], with: rest), equals: "\(segments[0]).tasks2")
    try spool.add([task("new")])
    _ = try spool.lock(until: .now)
    try expect(spool.segments().first, equals: "\(segments[0]).tasks2")
    try expect(envelopes(spool), equals: FormerSpool.envelopes.dropFirst() + [task("new")])
    try expect(spool.replace("\(segments[0]).tasks2", with: [rest[1]]), equals: "\(segments[0]).tasks2")
    try expect(spool.replace(segments[1], with: []), equals: "\(segments[1]).tasks2")
    try expect(envelopes(spool), equals: [FormerSpool.envelopes[2], task("new")])
  }

  /// 1.0 treats names like "01700000000000000000.tasks" as its segments, and sets unreadable ones aside.
  @Test func `writes no file name that version 1 treats as its own segment`() throws {
    let spool = try Spool(directory: directory)
    let former = try spool.segments()
    try spool.replace(former[0], with: [task("rest")])
    try spool.add([task("new")])
    let names = try scratch.names().filter { !former.contains($0) }
    #expect(names.count == 3)
    for name in names { #expect(name.wholeMatch(of: /[0-9]{20}\.tasks/) == nil, "\(name)") }
    // 1.0 considers the numbers of our segments, so that its next segment sorts after them.
    for name in names where name != "lock" { #expect(name.hasPrefix("\(name.prefix(20)).tasks")) }
  }

  @Test func `detects every changed byte and every truncation of a version 1 segment`() throws {
    let spool = try Spool(directory: directory)
    for segment in try spool.segments() {
      let good = try scratch.bytes("spool/\(segment)")
      func isCorrupt(_ bytes: [UInt8]) throws -> Bool {
        try scratch.write(bytes, to: "spool/\(segment)")
        do throws(SpoolError) {
          _ = try spool.read(segment)
          return false
        } catch {
          return error.kind == .corrupt
        }
      }
      for index in good.indices {
        for mask in [0x01, 0x80, 0xff] as [UInt8] {
          var bad = good
          bad[index] ^= mask
          try expect(isCorrupt(bad), equals: true, "byte \(index) changed by \(mask)")
        }
        try expect(isCorrupt(Array(good[..<index])), equals: true, "cut to \(index)")
      }
      try expect(isCorrupt(good), equals: false)
    }
  }

  // MARK: Tables

  /// The table of the first record.
  private func table() throws -> [UInt8] {
    let spool = try Spool(directory: directory)
    let bytes = try scratch.bytes("spool/\(spool.segments()[0])")
    let size = bytes[47..<51].reduce(0) { $0 << 8 | Int($1) }
    return Array(bytes[59..<59 + size])
  }

  @Test func `decodes a damaged table without a crash, and refuses extra bytes after a table`() throws {
    let good = try table()
    #expect(Envelope(former: good, body: Array("all".utf8)) == FormerSpool.envelopes[0])
    for seed in 0..<2000 as Range<UInt64> {
      var random = SeededRandom(seed: seed)
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
      }
      _ = Envelope(former: bytes, body: [])
      #expect(Envelope(former: bytes + [0], body: []) == nil)
    }
  }

  @Test func `refuses a table with unknown, missing or invalid entries`() {
    func counted(_ text: String) -> [UInt8] { [0, 0, 0, UInt8(text.utf8.count)] + text.utf8 }
    func envelope(_ entries: [String: [UInt8]]) -> Envelope? {
      let start: [UInt8] = [0, 0, 0, UInt8(entries.count)]
      return Envelope(former: entries.reduce(start) { $0 + counted($1.key) + $1.value }, body: [])
    }
    let good = ["exchange": Array("S".utf8) + counted(""), "routing_key": Array("S".utf8) + counted("q")]
    #expect(envelope(good) == Envelope(Message(body: []), routingKey: "q"))
    let changes: [(String, [UInt8]?)] = [
      ("surprise", Array("V".utf8)), ("exchange", nil),
      ("routing_key", Array("O".utf8) + [0, 0, 0, 1, 0xff]),
      ("priority", Array("b".utf8) + [1]), ("delivery_mode", Array("B".utf8) + [3]),
      ("delay", Array("A".utf8) + [0, 0, 0, 1, 0x56]), ("headers", Array("S".utf8) + counted("")),
      ("message_id", Array("O".utf8) + [0, 0, 0, 1, 0xff]),
      ("timestamp", Array("L".utf8) + [UInt8](repeating: 0, count: 8)),
    ]
    for (name, value) in changes {
      var changed = good
      changed[name] = value
      #expect(envelope(changed) == nil, "\(name)")
    }
  }

  @Test func `refuses a deeply nested table without exhausting the stack`() {
    let open = Array("\0\0\0\u{1}\0\0\0\0F".utf8)
    let bytes = (0..<100_000).flatMap { _ in open }
    #expect(throws: FormerSpoolTable.Malformed.self) { try FormerSpoolTable.decode(bytes) }
  }
}
