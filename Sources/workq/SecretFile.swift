internal import AMQP
internal import Glibc

/// A file with a secret in its first line: a password, or a URL with one.
enum SecretFile {
  /// The maximum size of a password or list of URLs, in bytes.
  private static let longest = 65_536

  /// Reads the first line of a file that other users cannot read.
  ///
  /// The group may read a file that root owns, as for services. A pipe ("--url-file <(pass show mq)") is always
  /// accepted.
  ///
  /// - Throws: `noInput` in one line, without the file's contents.
  static func firstLine(of path: FilePath) throws(Failure) -> String {
    let descriptor = unsafe open(path.cString, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(path) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw unreadable(path) }
    let tooMany: mode_t = status.st_uid == 0 ? 0o027 : 0o077
    if status.st_mode & S_IFMT == S_IFREG && status.st_mode & tooMany != 0 {
      throw Failure(.noInput, "others may read '\(path)', which holds a secret: chmod 600 it")
    }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while !bytes.contains(10) && bytes.count <= longest {
      let count = unsafe read(descriptor, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw unreadable(path) }
      guard count > 0 else { break }
      bytes += piece.prefix(count)
    }
    var line = bytes.prefix { $0 != 10 }
    if line.last == 13 { line.removeLast() }
    guard !line.isEmpty else { throw Failure(.noInput, "the first line of '\(path)' is empty") }
    guard line.count <= longest else { throw Failure(.noInput, "the first line of '\(path)' is too long") }
    guard let text = String(validating: line, as: UTF8.self), !line.contains(0) else {
      throw Failure(.noInput, "the first line of '\(path)' is not UTF-8 text")
    }
    return text
  }

  private static func unreadable(_ path: FilePath) -> Failure {
    Failure(.noInput, "cannot read '\(path)': \(unsafe String(cString: strerror(errno)))")
  }
}
