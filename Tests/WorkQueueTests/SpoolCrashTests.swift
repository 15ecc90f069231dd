import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

/// The process dies before each system call in turn, and no task is lost or duplicated.
@Suite(.alone) struct SpoolCrashTests {
  /// What a run has done before it died.
  private struct Ledger: Equatable {
    /// Tasks for which `add` has returned.
    var kept: [String] = []
    /// Tasks for which `add` was called, by call.
    var tried: [[String]] = []
    /// Confirmed tasks: they were removed, or were about to be removed.
    var sent: Set<String> = []
  }

  private static func task(_ text: String) -> Envelope {
    Envelope(Message(body: Array(text.utf8)), exchange: "x", routingKey: text)
  }

  private static func texts(_ envelopes: [Envelope]) -> [String] {
    envelopes.map { String(decoding: $0.message.body, as: UTF8.self) }
  }

  private static func add(_ texts: [String], to spool: borrowing Spool, _ ledger: inout Ledger) throws {
    ledger.tried.append(texts)
    try spool.add(texts.map(task))
    ledger.kept += texts
  }

  /// Performs all operations of a spool, by two processes one after the other.
  private static func run(_ directory: String, _ disk: Disk, _ ledger: inout Ledger) throws {
    let first = try Spool(directory: directory, disk: disk)
    try add(["1", "2", "3"], to: first, &ledger)
    try add(["4"], to: first, &ledger)
    var second = try Spool(directory: directory, disk: disk)
    guard try second.lock(until: .now) else { throw POSIXError(.EWOULDBLOCK) }
    let segments = try second.segments()
    guard try texts(second.read(segments[0])) == ["1", "2", "3"] else { throw POSIXError(.EBADMSG) }
    ledger.sent.insert("1")
    try second.replace(segments[0], with: [task("2"), task("3")])
    ledger.sent.formUnion(["2", "3"])
    try second.remove(segments[0])
    try add(["5", "6"], to: second, &ledger)
    ledger.sent.insert("4")
    try second.remove(segments[1])
    try add(["7"], to: second, &ledger)
  }

  /// The tasks that the next process finds, by segment.
  private static func survivors(_ directory: String) throws -> [[String]] {
    var spool = try Spool(directory: directory)
    guard try spool.lock(until: .now) else { throw POSIXError(.EWOULDBLOCK) }
    let segments = try spool.segments()
    let found = try segments.map { texts(try spool.read($0)) }
    let names = try FileManager.default.contentsOfDirectory(atPath: directory)
    #expect(Set(names) == Set(segments + ["lock"]), "something is left lying about")
    return found
  }

  private static func check(_ found: [[String]], _ ledger: Ledger, _ comment: Comment) {
    let all = found.flatMap { $0 }
    #expect(Set(ledger.kept).subtracting(ledger.sent).isSubset(of: all), "lost: \(comment)")
    #expect(Set(all).count == all.count, "twice: \(comment)")
    #expect(all == all.sorted(), "out of order: \(comment)")
    for segment in found {
      #expect(
        ledger.tried.contains { $0.suffix(segment.count) == segment[...] }, "half of it: \(comment)")
      #expect(
        ledger.tried.contains(segment) || ledger.sent.contains("1"), "taken apart: \(comment)")
    }
  }

  /// Replaces the first segment of a 1.0 spool by all but its first task, in the new format.
  private static func replace(_ directory: String, _ disk: Disk) throws {
    var spool = try Spool(directory: directory, disk: disk)
    guard try spool.lock(until: .now) else { throw POSIXError(.EWOULDBLOCK) }
    let segment = try spool.segments()[0]
    let rest = Array(try spool.read(segment).dropFirst())
    try spool.replace(segment, with: rest)
  }

  private static let callsOfARun: [Disk.Call] = {
    guard let scratch = try? Scratch(), let disk = try? FailingDisk(attic: "\(scratch.path)/attic") else {
      return []
    }
    var ledger = Ledger()
    try? run("\(scratch.path)/state/workq/spool", disk.disk, &ledger)
    return disk.calls
  }()

  @Test func `a run without a crash makes every kind of call, and leaves only the unsent tasks`() throws {
    let scratch = try Scratch()
    var ledger = Ledger()
    try Self.run("\(scratch.path)/spool", Disk(), &ledger)
    try expect(Self.survivors("\(scratch.path)/spool"), equals: [["5", "6"], ["7"]])
    let names = Set(Self.callsOfARun.map { "\($0.name)" })
    #expect(names.count == 12, "\(names)")
  }

  @Test func `a process loses no task when it is killed before any system call`() throws {
    for death in Self.callsOfARun.indices {
      let scratch = try Scratch()
      let disk = try FailingDisk(attic: "\(scratch.path)/attic", deathAt: death)
      var ledger = Ledger()
      #expect(throws: SpoolError.self) {
        try Self.run("\(scratch.path)/state/workq/spool", disk.disk, &ledger)
      }
      let comment: Comment = "killed before call \(death), \(Self.callsOfARun[death])"
      Self.check(try Self.survivors("\(scratch.path)/state/workq/spool"), ledger, comment)
    }
  }

  @Test(arguments: FailingDisk.Unsynced.allCases)
  func `a crash during the replacement of a version 1 segment leaves the old or the new one`(
    unsynced: FailingDisk.Unsynced
  ) throws {
    var (death, hasDied) = (0, true)
    var bodies: Set<[String]> = []
    while hasDied {
      var (mask, masks) = (0, 1)
      while mask < masks {
        let scratch = try FormerSpool.copy()
        let disk = try FailingDisk(attic: "\(scratch.path)/attic", deathAt: death)
        try? Self.replace("\(scratch.path)/spool", disk.disk)
        hasDied = disk.isDead
        masks = 1 << disk.unsyncedNames
        try disk.failPower(losingNames: mask, unsynced)
        bodies.insert(try Self.survivors("\(scratch.path)/spool").flatMap { $0 })
        mask += 1
      }
      death += 1
    }
    let all = FormerSpool.envelopes.map { String(decoding: $0.message.body, as: UTF8.self) }
    #expect(bodies == [all, Array(all.dropFirst())])
    #expect(death > 8)
  }

  @Test(arguments: FailingDisk.Unsynced.allCases)
  func `a machine loses no task when its power fails before any system call`(
    unsynced: FailingDisk.Unsynced
  ) throws {
    for death in 0...Self.callsOfARun.count {
      var (mask, masks) = (0, 1)
      while mask < masks {
        let scratch = try Scratch()
        let disk = try FailingDisk(attic: "\(scratch.path)/attic", deathAt: death)
        var ledger = Ledger()
        try? Self.run("\(scratch.path)/state/workq/spool", disk.disk, &ledger)
        masks = 1 << disk.unsyncedNames
        try disk.failPower(losingNames: mask, unsynced)
        let comment: Comment = "power failed before call \(death), losing changes \(String(mask, radix: 2))"
        Self.check(try Self.survivors("\(scratch.path)/state/workq/spool"), ledger, comment)
        mask += 1
      }
    }
  }
}
