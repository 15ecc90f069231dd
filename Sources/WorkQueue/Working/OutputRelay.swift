internal import CSystem
internal import Glibc

/// Passes a command's stderr on to ours (`OutputMode.passthrough`), so that its last bytes can be kept for a failed
/// task.
///
/// 1. If stdout is another file, only stderr is passed on: each file gets its bytes in order.
/// 2. If both are the same file, both are passed on by one channel, because two would lose the order; the bytes kept
///    are then those of both.
/// 3. The channel to a terminal is a pseudo-terminal, so that the command has one; else it is a pipe.
/// 4. Nothing is read that could not be written at once: a slow reader of our output blocks the command, not us.
package struct OutputRelay {
  /// Our output, to which the bytes are written.
  let stream: OutputStream
  /// Whether stdout is passed on, too.
  let hasBoth: Bool
  private let isTerminal: Bool

  /// How many bytes can be written when poll(2) reports writable: a pipe then has space for a page.
  static let pieceSize = 4096

  /// Depends on our stdout and stderr.
  static let standard = OutputRelay(stdout: STDOUT_FILENO, stderr: STDERR_FILENO)

  init(stdout: Int32, stderr: Int32) {
    hasBoth = Self.areSame(stdout, stderr)
    // If both have one reader and it is gone, the write to stdout fails, which ends the worker.
    stream = hasBoth ? .stdout : .stderr
    isTerminal = isatty(stderr) == 1
  }

  /// Whether commands' stderr is passed on by us, provided that a pseudo-terminal is available.
  package static var isAvailable: Bool {
    guard let ends = try? standard.open() else { return false }
    close(ends.read)
    close(ends.write)
    return true
  }

  /// Whether two descriptors are the same file, so that the order of bytes matters.
  private static func areSame(_ first: Int32, _ second: Int32) -> Bool {
    if isatty(first) == 1 && isatty(second) == 1 {
      return csystem_terminal_device(first) == csystem_terminal_device(second)
    }
    var (one, other) = (stat(), stat())
    guard unsafe fstat(first, &one) == 0, unsafe fstat(second, &other) == 0 else { return false }
    // The order does not matter in /dev/null.
    return one.st_mode & S_IFMT != S_IFCHR && one.st_dev == other.st_dev && one.st_ino == other.st_ino
  }

  /// The descriptor of one of our outputs.
  func descriptor(of stream: OutputStream) -> Int32 { stream == .stdout ? STDOUT_FILENO : STDERR_FILENO }

  /// A channel for one run of the command; nil if no pseudo-terminal is available, so that the command gets our
  /// terminal itself.
  func open() throws(SystemError) -> (read: Int32, write: Int32)? {
    guard isTerminal else { return try Files.pipe() }
    var ends: [Int32] = [-1, -1]
    guard unsafe csystem_pseudo_terminal(&ends) == 0 else { return nil }
    resize(ends[0])
    return (ends[0], ends[1])
  }

  /// Sets a pseudo-terminal to the size of our terminal.
  func resize(_ channel: Int32) {
    if isTerminal { csystem_copy_terminal_size(descriptor(of: stream), channel) }
  }

  /// Whether our output takes a piece now, or never will.
  func takesMore(_ stream: OutputStream) -> Bool {
    var entry = pollfd(fd: descriptor(of: stream), events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&entry, 1, 0) != 0
  }

  /// Waits for our output to take more.
  func watch(_ stream: OutputStream, on loop: inout EventLoop) {
    loop.watch(descriptor(of: stream), forReading: false, forWriting: true)
  }
}
