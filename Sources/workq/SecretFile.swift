internal import AMQP
internal import Glibc

/// A file that holds a secret in its first line: a password, or a URL with one.
enum SecretFile {
  /// No password or list of URLs is longer than this.
  private static let longest = 65_536

  /// Reads the first line, from a file that nobody else may read.
  ///
  /// Its owner may, and so may the group of a file that is root's: that is how services get theirs. A pipe
  /// ("--url-file <(pass show mq)") is nobody else's anyway.
  ///
  /// - Throws: `noInput` in one line, which never holds what the file does.
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
