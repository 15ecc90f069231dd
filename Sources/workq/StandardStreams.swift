internal import Glibc

/// stdin, stdout and stderr, which a caller may have closed.
enum StandardStreams {
  /// Keeps the first three descriptors taken.
  ///
  /// So no socket becomes one of them, and no line of text is written into it. Reading or writing what was
  /// closed still fails.
  static func reserve() {
    for (descriptor, useless) in [
      (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY),
    ]
    where fcntl(descriptor, F_GETFD) == -1 {
      _ = unsafe open("/dev/null", useless)
    }
  }

  /// Whether stdin is a pipe or a file that somebody means us to read: no terminal, not /dev/null.
  static var inputHasData: Bool {
    var (input, null) = (stat(), stat())
    guard isatty(STDIN_FILENO) == 0, unsafe fstat(STDIN_FILENO, &input) == 0 else { return false }
    guard unsafe stat("/dev/null", &null) == 0 else { return true }
    return input.st_rdev != null.st_rdev || input.st_mode & S_IFMT != S_IFCHR
  }

  /// All of stdin, byte for byte.
  static func readInput() throws(Failure) -> [UInt8] {
    var bytes: [UInt8] = []
    let size = 65_536
    while true {
      var failure: Int32 = 0
      let chunk = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        let result = unsafe read(STDIN_FILENO, buffer.baseAddress, size)
        failure = result < 0 ? errno : 0
        count = max(result, 0)
      }
      if failure == EINTR { continue }
      guard failure == 0 else {
        throw Failure(.ioError, "cannot read stdin: \(unsafe String(cString: strerror(failure)))")
      }
      if chunk.isEmpty { return bytes }
      bytes += chunk
    }
  }
}
