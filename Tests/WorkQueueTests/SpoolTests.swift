import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.alone) struct SpoolTests {
  private let scratch: Scratch
  private var directory: String { "\(scratch.path)/spool" }

  init() throws {
    scratch = try Scratch()
  }

  private func kind(_ body: () throws(SpoolError) -> Void) -> SpoolError.Kind? {
    do throws(SpoolError) {
      try body()
      return nil
    } catch {
      return error.kind
    }
  }

  // MARK: Adding and reading

  @Test func `returns tasks in the order of their addition when the spool is opened again`() throws {
    let first = try Spool(directory: directory)
    try first.add([task("1"), task("2")])
    try first.add([task("3")])
    try first.add([])
    let second = try Spool(directory: directory)
    try expect(textsBySegment(second), equals: [["1", "2"], ["3"]])
  }

  @Test func `removes a segment, and replaces a segment at the same place in the order`() throws {
    let spool = try Spool(directory: directory)
    for name in ["a", "b", "c", "d"] { try spool.add([task(name), task(name + name)]) }
    let segments = try spool.segments()
    try spool.remove(segments[0])
    try spool.replace(segments[1], with: [task("bb")])
    try spool.replace(segments[2], with: [])
    try expect(textsBySegment(spool), equals: [["bb"], ["d", "dd"]])
    try expect(scratch.names(), equals: [segments[1], segments[3], "lock"])
  }

  @Test func `overwrites the file that an interrupted replacement has left`() throws {
    let spool = try Spool(directory: directory)
    try spool.add([task("1"), task("2")])
    let segment = try #require(try spool.segments().first)
    try scratch.write([UInt8](repeating: 1, count: 10_000), to: "spool/\(SpoolName.rest(of: segment))")
    try spool.replace(segment, with: [task("2")])
    try expect(textsBySegment(spool), equals: [["2"]])
  }

  @Test func `reads back a task of 2 MB`() throws {
    let spool = try Spool(directory: directory)
    let body = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    try spool.add([Envelope(Message(body: body), routingKey: "q")])
    let segment = try #require(try spool.segments().first)
    let isSame = try spool.read(segment).first?.message.body == body
    #expect(isSame)
  }

  @Test func `keeps the bytes of a directory's name when the name is not UTF-8`() throws {
    let name = FilePath(bytes: Array("\(scratch.path)/caf".utf8) + [0xe9])
    let spool = try Spool(directory: name + "/spool")
    try spool.add([task("1")])
    try expect(textsBySegment(spool), equals: [["1"]])
    #expect(access((name + "/spool/lock").cString, F_OK) == 0)
    let path = try spool.setAside(try spool.segments()[0])
    #expect(access(path.cString, F_OK) == 0)
    for file in [path, name + "/spool/lock"] { #expect(unlink(file.cString) == 0) }
    for directory in [name + "/spool", name] { #expect(rmdir(directory.cString) == 0) }
  }

  @Test func `creates directories and files that only their owner can access`() throws {
    let spool = try Spool(directory: "\(scratch.path)/state/workq/spool/")
    try spool.add([task("secret")])
    for name in ["state", "state/workq", "state/workq/spool"] {
      try expect(scratch.mode(name), equals: 0o700)
    }
    for name in try scratch.names(in: "state/workq/spool") {
      try expect(scratch.mode("state/workq/spool/\(name)"), equals: 0o600)
    }
  }

  @Test func `uses an existing directory without changing its mode or other files`() throws {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o750])
    try scratch.write([1], to: "spool/somebody's file")
    try scratch.write([1], to: "spool/1.tasks")
    let spool = try Spool(directory: directory)
    try spool.add([task("1")])
    try expect(textsBySegment(spool), equals: [["1"]])
    try expect(scratch.mode("spool"), equals: 0o750)
    #expect(try scratch.names().contains("somebody's file"))
  }

  @Test func `accepts a symbolic link as the directory, but not as a segment`() throws {
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: "\(scratch.path)/link", withDestinationPath: directory)
    let spool = try Spool(directory: "\(scratch.path)/link")
    try spool.add([task("1")])
    try expect(textsBySegment(spool), equals: [["1"]])
    let name = SpoolName.segment(1)
    try FileManager.default.createSymbolicLink(
      atPath: "\(directory)/\(name)", withDestinationPath: "\(directory)/\(try spool.segments()[0])")
    #expect(kind { () throws(SpoolError) in _ = try spool.read(name) } == .corrupt)
  }

  // MARK: Order

  @Test func `keeps the order of tasks when the clock is set back`() throws {
    var disk = Disk()
    let times: [UInt64] = [5_000, 4_000, 0, 6_000, 6_000, 1, .max - 3, 7]
    for (index, time) in times.enumerated() {
      disk.clock = { time }
      let spool = try Spool(directory: directory, disk: disk)
      try spool.add([task("\(index)")])
    }
    let spool = try Spool(directory: directory)
    try expect(textsBySegment(spool), equals: times.indices.map { ["\($0)"] })
    try expect(
      spool.segments().map { SpoolName.number(of: $0) },
      equals: [
        5_000, 5_001, 5_002, 6_000, 6_001, 6_002, .max - 3, .max - 2,
      ])
  }

  @Test func `numbers a new segment after segments that are set aside or being written`() throws {
    var disk = Disk()
    disk.clock = { 10 }
    let spool = try Spool(directory: directory, disk: disk)
    for name in [SpoolName.setAside(SpoolName.segment(20)), SpoolName.draft(of: SpoolName.segment(30))] {
      try scratch.write([], to: "spool/\(name)")
      try spool.add([task("x")])
    }
    try expect(spool.segments(), equals: [SpoolName.segment(21), SpoolName.segment(31)])
  }

  @Test func `reports an error when a segment with the highest number exists`() throws {
    let spool = try Spool(directory: directory)
    try scratch.write([], to: "spool/\(SpoolName.segment(.max))")
    let kind = kind { () throws(SpoolError) in try spool.add([task("x")]) }
    #expect(kind == .unwritable)
  }

  @Test(arguments: [
    "", "lock", "1.tasks", "0000000000000000000a.tasks", "00000000000000000001.tasks.tmp",
    "00000000000000000001.tasks.corrupt", "99999999999999999999.tasks", "00000000000000000001.task",
    "00000000000000000001.tasks2.tmp",
    "00000000000000000001.tasks3", "00000000000000000001.tasks2.tasks2",
    "+0000000000000000001.tasks", "０0000000000000000001.tasks",
  ])
  func `does not treat other file names as segments`(name: String) {
    #expect(!SpoolName.isSegment(name))
  }

  // MARK: Damage

  @Test func `sets a corrupt segment aside, and still reads the others`() throws {
    let spool = try Spool(directory: directory)
    for name in ["a", "b", "c"] { try spool.add([task(name)]) }
    let segments = try spool.segments()
    var bytes = try scratch.bytes("spool/\(segments[1])")
    bytes[bytes.count - 1] ^= 1
    try scratch.write(bytes, to: "spool/\(segments[1])")
    let kind = kind { () throws(SpoolError) in _ = try spool.read(segments[1]) }
    #expect(kind == .corrupt)
    let path = try spool.setAside(segments[1])
    #expect(path.description == "\(directory)/\(segments[1]).corrupt")
    try expect(scratch.bytes("spool/\(segments[1]).corrupt"), equals: bytes)
    try expect(textsBySegment(spool), equals: [["a"], ["c"]])
  }

  @Test func `reports an empty file, a directory and a FIFO as corrupt without blocking`() throws {
    let spool = try Spool(directory: directory)
    let names = (1...3).map { SpoolName.segment($0) }
    try scratch.write([], to: "spool/\(names[0])")
    try #require(mkdir("\(directory)/\(names[1])", 0o700) == 0)
    try #require(mkfifo("\(directory)/\(names[2])", 0o600) == 0)
    try expect(spool.segments(), equals: names)
    for name in names {
      let kind = kind { () throws(SpoolError) in _ = try spool.read(name) }
      #expect(kind == .corrupt)
      _ = try spool.setAside(name)
    }
    try expect(spool.segments(), equals: [])
  }

  @Test func `reports an error when a missing segment is read, removed or set aside`() throws {
    let spool = try Spool(directory: directory)
    let name = SpoolName.segment(1)
    #expect(kind { () throws(SpoolError) in _ = try spool.read(name) } == .unreadable)
    #expect(kind { () throws(SpoolError) in try spool.remove(name) } == .unwritable)
    #expect(kind { () throws(SpoolError) in _ = try spool.setAside(name) } == .unwritable)
  }

  @Test func `refuses deeply nested headers, and writes nothing`() throws {
    let spool = try Spool(directory: directory)
    var deep = task("x")
    deep.message.properties.headers = ["h": (0..<1000).reduce(.void) { value, _ in .array([value]) }]
    let kind = kind { () throws(SpoolError) in try spool.add([task("y"), deep]) }
    #expect(kind == .unwritable)
    try expect(scratch.names(), equals: ["lock"])
  }

  // MARK: Directory names

  @Test func `each broker has its own directory name`() {
    func name(_ host: String, _ port: UInt16 = 5672, _ vhost: String = "/") -> String {
      var address = Address.localDefault
      (address.host, address.port, address.vhost) = (host, port, vhost)
      address.password = "geheim"
      return Spool.directoryName(for: address)
    }
    #expect(name("localhost") == "localhost_5672_%2f")
    #expect(name("Rabbit.Example.ORG", 5671, "Prod-1") == "rabbit.example.org_5671_Prod-1")
    #expect(name("::1", 1, "a_b/..") == "%3a%3a1_1_a%5fb%2f..")
    #expect(name("h", 1, "") == "h_1_")
    #expect(name("h_1", 1, "v") != name("h", 1, "1_v"))
    #expect(name("h", 1, "%2f") != name("h", 1, "/"))
    #expect(name("h", 1, "ä") != name("h", 1, "a\u{308}"))
    let long = (
      name("h", 1, String(repeating: "/", count: 255)), name("h", 1, String(repeating: "/", count: 254))
    )
    #expect(long.0 != long.1)
    for part in long.0.split(separator: "/") {
      #expect(part.count <= 255)
      #expect(part != ".")
      #expect(part != "..")
    }
    #expect(long.0.replacing("/+", with: "") == "h_1_" + String(repeating: "%2f", count: 255))
  }
}
