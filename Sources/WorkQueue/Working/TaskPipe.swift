internal import CSystem
internal import Glibc

/// The pipe to the stdin of a resident command: what it does not take yet waits here, and nothing waits with it.
final class TaskPipe {
  /// How many bytes are written in one turn, about.
  private static let turns = 16
  /// A buffer that was larger is not kept.
  private static let largestKept = 1 << 20

  /// The end that we write to; -1 when it is closed.
  private(set) var writeEnd: Int32
  private var bytes: [UInt8] = []
  /// How many of them are written.
  private var sent = 0
  /// How many bytes were given to it, and how many of those the pipe has taken.
  private(set) var added = 0
  private var written = 0
  /// Whether the command has closed its stdin, or has ended.
  private(set) var hasNoReader = false

  /// Takes over the end of a pipe that never makes us wait.
  init(_ writeEnd: Int32) {
    self.writeEnd = writeEnd
  }

  deinit {
    close()
  }

  var isOpen: Bool { writeEnd >= 0 }
  /// Whether something waits to be written.
  var hasUnsent: Bool { sent < bytes.count }

  /// How many of the bytes the command has read.
  var consumed: Int { isOpen ? written - max(0, Int(csystem_unread(writeEnd))) : written }

  /// Adds what `body` appends.
  func append(_ body: (inout [UInt8]) -> Void) {
    let before = bytes.count
    body(&bytes)
    added += bytes.count - before
  }

  /// Writes what the pipe takes, a bounded part of it.
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

  /// The command finds the end of its stdin, when it has read what is there.
  func close() {
    guard isOpen else { return }
    _ = Glibc.close(writeEnd)
    writeEnd = -1
  }
}
