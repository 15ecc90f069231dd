internal import Glibc

/// Cuts a stream of bytes into records at a delimiter of one byte or more; the records do not have it.
///
/// Every byte is looked at once, however long a record is and in whatever pieces it comes.
package struct RecordSplitter {
  private let delimiter: [UInt8]
  private var buffer: [UInt8] = []
  /// Where the record that is not complete yet begins.
  private var start = 0
  /// Before this, no delimiter begins.
  private var searched = 0

  /// An empty delimiter cuts nothing: the whole stream is one record.
  package init(delimiter: [UInt8]) {
    self.delimiter = delimiter
  }

  /// Takes the next bytes of the input, copied.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    if start > 0 {
      buffer.removeFirst(start)
      searched -= start
      start = 0
    }
    unsafe buffer.append(contentsOf: bytes)
  }

  /// The next complete record; nil until more bytes come.
  package mutating func next() -> [UInt8]? {
    guard !delimiter.isEmpty, let end = findDelimiter() else { return nil }
    defer {
      start = end + delimiter.count
      searched = start
    }
    return Array(buffer[start..<end])
  }

  /// What follows the last delimiter, when the stream has ended; nil when nothing does.
  package mutating func rest() -> [UInt8]? {
    defer {
      buffer = []
      (start, searched) = (0, 0)
    }
    guard start < buffer.count else { return nil }
    return start == 0 ? buffer : Array(buffer[start...])
  }

  /// Looks for the delimiter's first byte in the C library's fast way, and then for the rest of it.
  private mutating func findDelimiter() -> Int? {
    unsafe buffer.withUnsafeBytes { bytes in
      while searched + delimiter.count <= bytes.count, let base = bytes.baseAddress {
        let rest = bytes.count - searched
        guard let found = unsafe memchr(base + searched, Int32(delimiter[0]), rest) else {
          searched = bytes.count
          return nil
        }
        searched = unsafe UnsafeRawPointer(found) - base
        // It may go on in what has not come yet: then this is where to look again.
        guard searched + delimiter.count <= bytes.count else { return nil }
        if unsafe bytes[searched..<searched + delimiter.count].elementsEqual(delimiter) { return searched }
        searched += 1
      }
      return nil
    }
  }
}
