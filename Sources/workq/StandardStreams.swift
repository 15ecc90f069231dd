internal import Glibc
internal import WorkQueue

/// stdin, stdout and stderr, which the parent may have closed.
enum StandardStreams {
  /// Makes sure that the first three descriptors are open.
  ///
  /// Otherwise a socket could become one of them, and text be written to it. Reading or writing a closed one still
  /// fails.
  static func reserve() {
    for (descriptor, useless) in [
      (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY),
    ]
    where fcntl(descriptor, F_GETFD) == -1 {
      _ = unsafe open("/dev/null", useless)
    }
  }

  /// Whether stdin is a pipe or a file to read, instead of a terminal or /dev/null.
  static var inputHasData: Bool {
    var (input, null) = (stat(), stat())
    guard isatty(STDIN_FILENO) == 0, unsafe fstat(STDIN_FILENO, &input) == 0 else { return false }
    guard unsafe stat("/dev/null", &null) == 0 else { return true }
    return input.st_rdev != null.st_rdev || input.st_mode & S_IFMT != S_IFCHR
  }

  /// All of stdin, byte for byte.
  static func readInput() throws(Failure) -> [UInt8] {
    var reader = RecordReader([.standardInput], delimiter: [])
    while true {
      switch reader.next() {
      case .record(let bytes):
        guard !bytes.isEmpty else {
          throw Failure(.dataError, "stdin is empty: nothing was published (a task can be given as words)")
        }
        return bytes
      case .unreadable(_, let reason): throw Failure(.ioError, "cannot read stdin: \(reason)")
      case .wait(let descriptor): RecordReader.wait(for: descriptor)
      case .end: return []
      }
    }
  }

  /// Writes all bytes, and waits for a slow reader.
  ///
  /// - Returns: the errno that ended it; 0 when all is written.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        unsafe poll(&entry, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }

  /// Whether bytes can be written at once.
  static func isWritable(_ descriptor: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&entry, 1, 0) > 0
  }

  /// The number of bytes still to be read from stdin, if it is a file.
  static var inputSize: Int? {
    var status = stat()
    guard unsafe fstat(STDIN_FILENO, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return max(0, Int(status.st_size) - Int(lseek(STDIN_FILENO, 0, SEEK_CUR)))
  }
}
