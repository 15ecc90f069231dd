import Foundation
import TestSupport

/// A disk of 256 kB in memory, which goes with this value.
final class SmallDisk {
  static let isPossible: Bool = {
    guard geteuid() == 0, let scratch = try? Scratch() else { return false }
    return (try? SmallDisk(at: "\(scratch.path)/disk")) != nil
  }()

  let path: String

  init(at path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Self.mount(["-t", "tmpfs", "-o", "size=256k,mode=700", "workq-test", path])
  }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  func remount(_ option: String) throws {
    try Self.mount(["-o", "remount,\(option)", path])
  }

  private static func mount(_ arguments: [String]) throws {
    let result = try Program("/bin/mount", arguments).run()
    guard result.status == 0 else { throw POSIXError(.EPERM) }
  }
}
