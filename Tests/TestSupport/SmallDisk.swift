import Foundation

/// A file system of 256 kB in memory (tmpfs), unmounted in `deinit`.
public final class SmallDisk {
  /// Whether this process may mount such a file system.
  public static let isPossible: Bool = {
    let path = FileManager.default.temporaryDirectory.appending(path: "workq-disk-\(UUID().uuidString)").path
    return geteuid() == 0 && (try? SmallDisk(at: path)) != nil
  }()

  public let path: String

  public init(at path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Self.mount(["-t", "tmpfs", "-o", "size=256k,mode=700", "workq-test", path])
  }

  deinit {
    umount2(path, Int32(MNT_DETACH))
    try? FileManager.default.removeItem(atPath: path)
  }

  public func remount(_ option: String) throws {
    try Self.mount(["-o", "remount,\(option)", path])
  }

  /// Fills the file system completely.
  public func fill() throws {
    let file = FileHandle(
      fileDescriptor: open("\(path)/full", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600), closeOnDealloc: true)
    let chunk = Data(count: 4096)
    while (try? file.write(contentsOf: chunk)) != nil {}
  }

  private static func mount(_ arguments: [String]) throws {
    let result = try Program("/bin/mount", arguments).run()
    guard result.status == 0 else { throw POSIXError(.EPERM) }
  }
}
