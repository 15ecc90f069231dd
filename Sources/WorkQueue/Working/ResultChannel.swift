internal import Glibc

/// The pipe on which a command writes its results, one line for each.
///
/// We hold both of its ends, so that it has no end while the command runs: nothing ever waits for one, and what the
/// command has left running may keep it open.
final class ResultChannel {
  /// Where the command finds it, and how it is told.
  static let descriptor: Int32 = 3
  static let variable = Array("WORKQ_RESULT_FD=3".utf8)
  /// What is read in one go, in bytes.
  private static let turn = 65_536

  let readEnd: Int32
  let writeEnd: Int32
  private var bytes: [UInt8] = []
  /// Where the first line begins that was not taken.
  private var start = 0

  init() throws(SystemError) {
    (readEnd, writeEnd) = try Files.pipe()
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// Reads a bounded part of what is there.
  ///
  /// - Returns: whether there was anything.
  @discardableResult
  func fill() -> Bool {
    if start == bytes.count {
      bytes.removeAll(keepingCapacity: true)
    } else if start > 0 {
      bytes.removeFirst(start)
    }
    start = 0
    return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.turn) { buffer in
      var count: Int
      repeat {
        count = unsafe read(readEnd, buffer.baseAddress, buffer.count)
      } while count < 0 && errno == EINTR
      guard count > 0 else { return false }
      unsafe bytes.append(contentsOf: buffer[..<count])
      return true
    }
  }

  /// The next line without its newline; nil when there is none that is complete.
  ///
  /// Of a line that is too long, all that is there.
  func nextLine() -> ArraySlice<UInt8>? {
    guard start < bytes.count else { return nil }
    if let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      defer { start = end + 1 }
      return bytes[start..<end]
    }
    return bytes.count - start > ResultLine.longestLine ? rest() : nil
  }

  /// What follows the last complete line; nil when there is nothing.
  func rest() -> ArraySlice<UInt8>? {
    guard start < bytes.count else { return nil }
    defer { start = bytes.count }
    return bytes[start...]
  }

  /// Forgets what was read and not taken.
  func discard() {
    start = bytes.count
  }

  /// A reason that quotes a line which is no result.
  static func complaint(about line: ArraySlice<UInt8>) -> String {
    let quoted = ResultLine.sanitised(line, upTo: 80)
    let isTooLong = line.count > ResultLine.longestLine
    let what = isTooLong ? "a line of more than \(ResultLine.longestLine) bytes on" : "no result on"
    return "\(what) descriptor \(descriptor): '\(quoted)\(line.count > 80 ? "…" : "")'"
  }
}
