import Foundation
import TestSupport
import Testing

@testable import WorkQueue

/// The search for a command in PATH, which is done once.
@Suite(.alone) struct ProgramPathTests {
  @Test func `finds the first executable file in PATH, and leaves other cases to posix_spawnp`() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "workq-path-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let previous = getenv("PATH").map { String(cString: $0) } ?? ""
    defer { setenv("PATH", previous, 1) }
    for (directory, mode) in [("plain", 0o644), ("good", 0o755), ("late", 0o755)] {
      let place = root.appending(path: directory)
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try Data("#!/bin/sh\nexit 7\n".utf8).write(to: place.appending(path: "tool"))
      try #require(chmod(place.appending(path: "tool").path, mode_t(mode)) == 0)
    }
    func find(_ path: String, _ name: String = "tool") -> String? {
      setenv("PATH", path, 1)
      return ProgramPath.find(name).map {
        String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      }
    }
    let all = ["nowhere", "plain", "good", "late"].map { root.appending(path: $0).path }
    #expect(find(all.joined(separator: ":")) == "\(all[2])/tool")
    #expect(find("relative:\(all[2])") == nil)
    #expect(find(":\(all[2])") == nil)
    #expect(find(all[0]) == nil)
    #expect(find(all[2], "") == nil)
    #expect(find(all[2], "./some/tool") == "./some/tool")
  }
}
