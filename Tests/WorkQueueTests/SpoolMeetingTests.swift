import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

/// Several processes that use the same spool.
@Suite(.alone) struct SpoolMeetingTests {
  private let scratch: Scratch
  private var directory: String { "\(scratch.path)/spool" }

  init() throws {
    scratch = try Scratch()
  }

  @Test func `only a single process holds the lock, and adding a task needs no lock`() throws {
    var spool = try Spool(directory: directory)
    let other = try Program(
      "/usr/bin/flock", ["-F", "\(directory)/lock", "sh", "-c", "echo held; exec sleep 600"]
    ).start()
    try other.waitForOutput("held")
    let isFree = try spool.lock(until: .now)
    #expect(!isFree)
    try spool.add([task("meanwhile")])
    try expect(texts(spool), equals: ["meanwhile"])
    other.signal(SIGKILL)
    let isOurs = try spool.lock(until: .after(.seconds(60)))
    #expect(isOurs)
    let attempt = try Program("/usr/bin/flock", ["-n", "\(directory)/lock", "true"]).run()
    #expect(attempt.status == 1)
  }

  @Test func `a waiting process gets the lock when another releases it`() throws {
    let other = try LockHolder(directory)
    var attempts = 0
    var disk = Disk()
    disk.intercept = { call in
      guard call.name == .lock else { return nil }
      attempts += 1
      if attempts == 5 { other.release() }
      return nil
    }
    var spool = try Spool(directory: directory, disk: disk)
    let isLocked = try spool.lock(until: .after(.seconds(60)))
    #expect(isLocked)
    #expect(attempts == 5)
  }

  @Test func `releases the lock when the spool is closed`() throws {
    do {
      var spool = try Spool(directory: directory)
      _ = try spool.lock(until: .now)
    }
    var next = try Spool(directory: directory)
    let isLocked = try next.lock(until: .now)
    #expect(isLocked)
  }

  @Test func `removes drafts of dead processes under the lock, and keeps those of live ones`() throws {
    var spool = try Spool(directory: directory)
    let dead = SpoolName.draft(of: SpoolName.segment(7))
    try scratch.write([1, 2, 3], to: "spool/\(dead)")
    try expect(spool.segments(), equals: [])
    try expect(scratch.names(), equals: [dead, "lock"])
    _ = try spool.lock(until: .now)
    let living = SpoolName.draft(of: SpoolName.segment(8))
    try scratch.write([], to: "spool/\(living)")
    let writer = try Program(
      "/usr/bin/flock", ["-F", "\(directory)/\(living)", "sh", "-c", "echo held; exec sleep 600"]
    ).start()
    try writer.waitForOutput("held")
    try expect(spool.segments(), equals: [])
    try expect(scratch.names(), equals: [living, "lock"])
  }

  @Test func `ignores a draft that disappears during the clean-up`() throws {
    let draft = "\(directory)/\(SpoolName.draft(of: SpoolName.segment(7)))"
    var disk = Disk()
    disk.intercept = { call in
      if call.name == .open && call.path.description == draft { unlink(draft) }
      return nil
    }
    var spool = try Spool(directory: directory, disk: disk)
    _ = try spool.lock(until: .now)
    try scratch.write([], to: "spool/\(SpoolName.draft(of: SpoolName.segment(7)))")
    try expect(spool.segments(), equals: [])
    try expect(scratch.names(), equals: ["lock"])
  }

  /// Both writers have the same clock, so that they choose the same names.
  @Test(arguments: [false, true])
  func `two writers and a clean-up lose no task when they meet at any system call`(dies: Bool) throws {
    var (meeting, hasMet) = (0, true)
    while hasMet {
      let scratch = try Scratch()
      let path = "\(scratch.path)/spool"
      var plain = Disk()
      plain.clock = { 1_000 }
      var disk = plain
      var calls = -2  // The first two calls open the directory.
      _ = try Spool(directory: path)
      disk.intercept = { _ in
        calls += 1
        if calls == meeting + 1 { meet(path, plain, dies: dies) }
        return nil
      }
      try Spool(directory: path, disk: disk).add([task("one")])
      hasMet = calls > meeting
      let spool = try Spool(directory: path)
      try expect(
        texts(spool).sorted(), equals: (hasMet && !dies ? ["more of it", "one", "other"] : ["one"]),
        "met at \(meeting)")
      meeting += 1
    }
    #expect(meeting > 8)
  }

  /// Another process adds tasks, or dies before its rename; if it adds them, a third process cleans up.
  private func meet(_ path: String, _ disk: Disk, dies: Bool) {
    var disk = disk
    var isDead = false
    disk.intercept = { call in
      isDead = isDead || dies && call.name == .rename
      return isDead ? .failure(EIO) : nil
    }
    do throws(SpoolError) {
      try Spool(directory: path, disk: disk).add([task("other"), task("more of it")])
      var cleaner = try Spool(directory: path)
      _ = try cleaner.lock(until: .now)
      _ = try cleaner.segments()
    } catch {
      if !dies { Issue.record(error) }
    }
  }
}

/// Holds a spool's lock until `release()` is called.
private final class LockHolder {
  private var spool: Spool?

  init(_ directory: String) throws {
    var spool = try Spool(directory: directory)
    _ = try spool.lock(until: .now)
    self.spool = consume spool
  }

  func release() {
    spool = nil
  }
}
