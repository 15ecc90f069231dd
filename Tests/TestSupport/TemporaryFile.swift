import Foundation

/// A file that only its owner can read, removed in `deinit`.
public final class TemporaryFile {
  private let url: URL
  public var path: String { url.path }

  public init(_ text: String) throws {
    url = Self.freshURL
    try Data(text.utf8).write(to: url)
    guard chmod(url.path, 0o600) == 0 else { throw POSIXError(.EIO) }
  }

  /// An executable file.
  ///
  /// A separate process writes the file. If this process had it open for writing, a child that another thread
  /// has just forked could still hold the descriptor, and the file could not be executed (ETXTBSY).
  public init(executable text: String) throws {
    url = Self.freshURL
    let writer = Program("/bin/sh", ["-c", #"cat >"$0" && chmod 700 "$0""#, url.path])
    let result = try writer.run(input: Array(text.utf8))
    guard result.status == 0 else { throw POSIXError(.EIO) }
  }

  private static var freshURL: URL {
    FileManager.default.temporaryDirectory.appending(path: "workq-test-\(UUID().uuidString)")
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }
}
