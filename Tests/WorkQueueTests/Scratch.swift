import Foundation

/// A test's own temporary directory, which is deleted when the test ends.
///
/// It is in memory if possible: thousands of syncs are slow on a disk, and wear it out.
final class Scratch {
  let path: String

  init() throws {
    let files = FileManager.default
    let memory = "/dev/shm"
    let parent = files.isWritableFile(atPath: memory) ? URL(filePath: memory) : files.temporaryDirectory
    path = parent.resolvingSymlinksInPath().appending(path: "workq-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The names in a subdirectory, sorted.
  func names(in directory: String = "spool") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(directory)").sorted()
  }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: "\(path)/\(name)")))
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
  }

  /// The permission bits.
  func mode(_ name: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.posixPermissions] as? Int
  }
}
