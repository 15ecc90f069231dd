internal import CSystem
internal import Glibc

/// The non-blocking pipe to the stdin of a resident command, with a buffer for what it does not accept yet.
final class TaskPipe {
  /// Maximum number of writes per turn.
  private static let turns = 16
  /// A larger buffer is released when it is empty; in bytes.
  private static let largestKept = 1 << 20

  /// The write end; -1 when it is closed.
  private(set) var writeEnd: Int32
  private var bytes: [UInt8] = []
  /// How many of these bytes are written.
  private var sent = 0
  /// Number of bytes added so far, and of those that the pipe has accepted.
  private(set) var added = 0
  private var written = 0
  /// Whether the command has closed its stdin, or has exited.
  private(set) var hasNoReader = false

  /// Takes ownership of the write end of a non-blocking pipe.
  init(_ writeEnd: Int32) {
    self.writeEnd = writeEnd
  }

  deinit {
    close()
  }

  var isOpen: Bool { writeEnd >= 0 }
  /// Whether bytes wait to be written.
  var hasUnsent: Bool { sent < bytes.count }

  /// Number of bytes that the command has read.
  var consumed: Int { isOpen ? written - max(0, Int(csystem_unread(writeEnd))) : written }

  /// Adds the bytes that `body` appends.
  func append(_ body: (inout [UInt8]) -> Void) {
    let before = bytes.count
    body(&bytes)
    added += bytes.count - before
  }

  /// Writes as many bytes as the pipe accepts, up to a bound.
  func flush() {
    for _ in 0..<Self.turns where hasUnsent && isOpen && !hasNoReader {
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe write(writeEnd, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN { return }
      guard count >= 0 else {
        hasNoReader = true
        return
      }
      sent += count
      written += count
    }
    guard !hasUnsent else { return }
    sent = 0
    if bytes.capacity > Self.largestKept { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
  }

  /// The command sees the end of its stdin when it has read everything.
  func close() {
    guard isOpen else { return }
    _ = Glibc.close(writeEnd)
    writeEnd = -1
  }
}
