internal import CSystem
internal import Glibc

/// The way of a command's stderr to ours where the command writes itself (`OutputMode.passthrough`): by us, so that its
/// end can be kept for a task that fails.
///
/// 1. Where stdout is another file, only stderr comes by us: each file gets its bytes in their order.
/// 2. Where both are the same file, both come by one channel, because two would lose their order; the end is that of
///    both then.
/// 3. The channel to a terminal is a pseudo-terminal, so that the command finds one, else a pipe.
/// 4. Nothing is read that could not be written at once: who does not read our output keeps the command waiting, not us.
package struct OutputRelay {
  /// The output of ours that gets what is read.
  let stream: OutputStream
  /// Whether stdout comes this way, too.
  let hasBoth: Bool
  private let isTerminal: Bool

  /// What can be written at once to what poll(2) calls writable: a pipe has room for a page then.
  static let pieceSize = 4096

  /// By what our stdout and stderr are.
  static let standard = OutputRelay(stdout: STDOUT_FILENO, stderr: STDERR_FILENO)

  init(stdout: Int32, stderr: Int32) {
    hasBoth = Self.areSame(stdout, stderr)
    // A reader of both that has gone is found out by the one whose loss ends the worker.
    stream = hasBoth ? .stdout : .stderr
    isTerminal = isatty(stderr) == 1
  }

  /// Whether what commands write to our stderr comes by us, or would: a pseudo-terminal may not be had.
  package static var isAvailable: Bool {
    guard let ends = try? standard.open() else { return false }
    close(ends.read)
    close(ends.write)
    return true
  }

  /// Whether two descriptors are one file, whose bytes have an order.
  private static func areSame(_ first: Int32, _ second: Int32) -> Bool {
    if isatty(first) == 1 && isatty(second) == 1 {
      return csystem_terminal_device(first) == csystem_terminal_device(second)
    }
    var (one, other) = (stat(), stat())
    guard unsafe fstat(first, &one) == 0, unsafe fstat(second, &other) == 0 else { return false }
    // /dev/null is one file, and keeps no order.
    return one.st_mode & S_IFMT != S_IFCHR && one.st_dev == other.st_dev && one.st_ino == other.st_ino
  }

  /// The descriptor of one of our outputs.
  func descriptor(of stream: OutputStream) -> Int32 { stream == .stdout ? STDOUT_FILENO : STDERR_FILENO }

  /// A channel for one run of the command; nil where the system has no pseudo-terminal for us, and the command gets our
  /// terminal itself.
  func open() throws(SystemError) -> (read: Int32, write: Int32)? {
    guard isTerminal else { return try Files.pipe() }
    var ends: [Int32] = [-1, -1]
    guard unsafe csystem_pseudo_terminal(&ends) == 0 else { return nil }
    resize(ends[0])
    return (ends[0], ends[1])
  }

  /// Gives a channel that is a terminal the size of ours.
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
