import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

/// System calls that fail, and disks that are full or not writable.
@Suite(.alone) struct SpoolErrorTests {
  private let scratch: Scratch
  private var directory: String { "\(scratch.path)/spool" }

  init() throws {
    scratch = try Scratch()
  }

  private func failure(_ body: () throws(SpoolError) -> Void) -> SpoolError? {
    do throws(SpoolError) {
      try body()
      return nil
    } catch {
      return error
    }
  }

  // MARK: Calls

  @Test(arguments: [
    (ENOSPC, SpoolError.Kind.full), (EDQUOT, .full), (EIO, .unwritable), (EACCES, .unwritable),
  ])
  func `adding reports an error and leaves no file when any system call fails`(
    code: Int32, kind: SpoolError.Kind
  ) throws {
    let spool = try Spool(directory: directory)
    try spool.add([task("old")])
    let before = try scratch.names()
    var (fails, hasFailed) = (0, true)
    while hasFailed {
      var calls = 0
      var disk = Disk()
      disk.intercept = { _ in
        calls += 1
        return calls == fails + 1 ? .failure(code) : nil
      }
      let error = failure { () throws(SpoolError) in
        try Spool(directory: directory, disk: disk).add([task("new")])
      }
      hasFailed = calls > fails
      fails += 1
      guard hasFailed else { continue }
      #expect(
        error?.kind == kind || error?.kind == .unreadable, "call \(fails): \(String(describing: error))")
      #expect(error?.path.description.hasPrefix(directory) == true)
      #expect(error?.detail == String(cString: strerror(code)))
      try expect(scratch.names(), equals: before, "call \(fails)")
    }
    #expect(fails > 10)
    try expect(texts(spool), equals: ["old", "new"])
  }

  @Test func `replacing keeps the old or the new tasks when any system call fails`() throws {
    var (fails, hasFailed) = (0, true)
    while hasFailed {
      let scratch = try Scratch()
      let spool = try Spool(directory: "\(scratch.path)/spool")
      try spool.add([task("1"), task("2")])
      let segment = try #require(try spool.segments().first)
      var calls = -2  // The first two calls open the spool.
      var disk = Disk()
      disk.intercept = { _ in
        calls += 1
        return calls == fails + 1 ? .failure(EIO) : nil
      }
      let other = try Spool(directory: "\(scratch.path)/spool", disk: disk)
      let error = failure { () throws(SpoolError) in try other.replace(segment, with: [task("2")]) }
      hasFailed = calls > fails
      fails += 1
      #expect((error != nil) == hasFailed)
      #expect([["1", "2"], ["2"]].contains(try texts(spool)))
      try expect(scratch.names(), equals: [segment, "lock"])
    }
    #expect(fails > 5)
  }

  @Test func `stores and reads tasks when system calls are interrupted or incomplete`() throws {
    var random = SeededRandom(seed: 3)
    let envelopes = (0..<20).map { _ in Envelope.random(using: &random, bodyUpTo: 100_000) }
    var (isRepeated, interruptions) = (false, 0)
    var disk = Disk()
    disk.intercept = { call in
      isRepeated.toggle()
      if isRepeated {
        interruptions += 1
        return .failure(EINTR)
      }
      return .atMost(call.name == .write ? 1000 : 777)
    }
    var spool = try Spool(directory: directory, disk: disk)
    let isLocked = try spool.lock(until: .now)
    #expect(isLocked)
    try spool.add(envelopes)
    let segment = try #require(try spool.segments().first)
    try expect(spool.read(segment), equals: envelopes)
    #expect(interruptions > 100)
  }

  // MARK: Directories

  @Test func `reports an error when the directory is a file or its name is empty`() throws {
    try scratch.write([], to: "spool")
    for path in [directory, "\(directory)/below"] {
      let error = failure { () throws(SpoolError) in _ = try Spool(directory: path) }
      #expect(error?.kind == .unwritable)
      #expect(error?.detail == String(cString: strerror(ENOTDIR)))
    }
    let error = failure { () throws(SpoolError) in _ = try Spool(directory: "") }
    #expect(error?.kind == .unwritable)
  }

  @Test(arguments: [(EACCES, true), (EINVAL, true), (EIO, false)])
  func `ignores a failed sync of a parent directory unless the error is EIO`(
    code: Int32, works: Bool
  ) throws {
    var disk = Disk()
    var hasFailed = false
    disk.intercept = { call in
      guard call.name == .sync, call.path == "/" else { return nil }
      hasFailed = true
      return .failure(code)
    }
    let error = failure { () throws(SpoolError) in _ = try Spool(directory: directory, disk: disk) }
    #expect((error == nil) == works)
    #expect(hasFailed)
    // The next process syncs it again only if the spool was not opened.
    hasFailed = false
    _ = failure { () throws(SpoolError) in _ = try Spool(directory: directory, disk: disk) }
    #expect(hasFailed == !works)
  }

  @Test(.enabled(if: geteuid() != 0, "root may write anywhere; the read-only disk stands in for it"))
  func `reports an error at once when the directory is not writable`() throws {
    _ = try Spool(directory: directory)
    chmod(directory, 0o500)
    defer { chmod(directory, 0o700) }
    let there = failure { () throws(SpoolError) in _ = try Spool(directory: directory) }
    #expect(there?.kind == .unwritable)
    let below = failure { () throws(SpoolError) in _ = try Spool(directory: "\(directory)/below") }
    #expect(below?.kind == .unwritable)
  }

  @Test(.enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
  func `reports an error at once when the disk is read-only`() throws {
    let disk = try SmallDisk(at: "\(scratch.path)/disk")
    _ = try Spool(directory: "\(disk.path)/spool")
    try disk.remount("ro")
    for path in ["\(disk.path)/spool", "\(disk.path)/other"] {
      let error = failure { () throws(SpoolError) in _ = try Spool(directory: path) }
      #expect(error?.kind == .unwritable)
      #expect(error?.detail == String(cString: strerror(EROFS)))
    }
  }

  @Test(.enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
  func `reports an error when the disk is full, and keeps the stored tasks`() throws {
    let disk = try SmallDisk(at: "\(scratch.path)/disk")
    let spool = try Spool(directory: "\(disk.path)/spool")
    try spool.add([task("first")])
    let large = task(String(repeating: "x", count: 1 << 20))
    let error = failure { () throws(SpoolError) in try spool.add([task("second"), large]) }
    #expect(error?.kind == .full)
    try expect(scratch.names(in: "disk/spool").count, equals: 2)
    try spool.add([task("third")])
    try expect(texts(spool), equals: ["first", "third"])
  }
}
