import Foundation

/// A file with some contents, which only its owner can read, and which is removed with this object.
public final class TemporaryFile {
  private let url: URL
  public var path: String { url.path }

  public init(_ text: String) throws {
    url = FileManager.default.temporaryDirectory.appending(path: "workq-test-\(UUID().uuidString)")
    try Data(text.utf8).write(to: url)
    guard chmod(url.path, 0o600) == 0 else { throw POSIXError(.EIO) }
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }
}
