internal import Glibc

/// The pipe to which a command writes its results, one per line.
///
/// We keep both of its ends open, so that there is no end of file to wait for, and background processes may keep it
/// open.
final class ResultChannel {
  /// The command's descriptor, and the variable that names it.
  static let descriptor: Int32 = 3
  static let variable = Array("WORKQ_RESULT_FD=3".utf8)
  /// Maximum bytes per read.
  private static let turn = 65_536

  let readEnd: Int32
  let writeEnd: Int32
  private var bytes: [UInt8] = []
  /// Where the first line begins that was not taken out.
  private var start = 0

  init() throws(SystemError) {
    (readEnd, writeEnd) = try Files.pipe()
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// Reads a bounded part of what is available.
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
    let more = Files.read(Self.turn, from: readEnd)
    bytes += more
    return !more.isEmpty
  }

  /// The next line without its newline; nil when there is no complete one.
  ///
  /// A line that is too long is returned as far as it was read.
  func nextLine() -> ArraySlice<UInt8>? {
    guard start < bytes.count else { return nil }
    if let end = endOfLine {
      defer { start = end + 1 }
      return bytes[start..<end]
    }
    return bytes.count - start > ResultLine.longestLine ? rest() : nil
  }

  /// The index of the next newline.
  private var endOfLine: Int? {
    unsafe bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress,
        let found = unsafe memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
      else { return nil }
      return unsafe UnsafeRawPointer(found) - base
    }
  }

  /// The incomplete last line; nil when there is none.
  func rest() -> ArraySlice<UInt8>? {
    guard start < bytes.count else { return nil }
    defer { start = bytes.count }
    return bytes[start...]
  }

  /// Discards what was read and not taken out.
  func discard() {
    start = bytes.count
  }

  /// The reason for a malformed line, which quotes it.
  static func complaint(about line: ArraySlice<UInt8>) -> String {
    let quoted = ResultLine.sanitised(line, upTo: 80)
    let isTooLong = line.count > ResultLine.longestLine
    let what = isTooLong ? "a line of more than \(ResultLine.longestLine) bytes on" : "no result on"
    return "\(what) descriptor \(descriptor): '\(quoted)\(line.count > 80 ? "…" : "")'"
  }
}
