internal import Glibc

/// Splits a stream of bytes into records at a delimiter of one or more bytes, which is not part of the records.
///
/// Every byte is examined once, however long a record is and in whatever chunks it arrives.
package struct RecordSplitter {
  private let delimiter: [UInt8]
  private var buffer: [UInt8] = []
  /// Where the incomplete record begins.
  private var start = 0
  /// No delimiter begins before this position.
  private var searched = 0

  /// With an empty delimiter the whole stream is one record.
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

  /// The next complete record; nil until more bytes arrive.
  package mutating func next() -> [UInt8]? {
    guard !delimiter.isEmpty, let end = findDelimiter() else { return nil }
    defer {
      start = end + delimiter.count
      searched = start
    }
    return Array(buffer[start..<end])
  }

  /// The record after the last delimiter, when the stream has ended; nil when there is none.
  package mutating func rest() -> [UInt8]? {
    defer {
      buffer = []
      (start, searched) = (0, 0)
    }
    guard start < buffer.count else { return nil }
    return start == 0 ? buffer : Array(buffer[start...])
  }

  /// Finds the delimiter's first byte by memchr(3), and then compares the rest.
  private mutating func findDelimiter() -> Int? {
    unsafe buffer.withUnsafeBytes { bytes in
      while searched + delimiter.count <= bytes.count, let base = bytes.baseAddress {
        let rest = bytes.count - searched
        guard let found = unsafe memchr(base + searched, Int32(delimiter[0]), rest) else {
          searched = bytes.count
          return nil
        }
        searched = unsafe UnsafeRawPointer(found) - base
        // The delimiter may continue in the next chunk: search again from here.
        guard searched + delimiter.count <= bytes.count else { return nil }
        if unsafe bytes[searched..<searched + delimiter.count].elementsEqual(delimiter) { return searched }
        searched += 1
      }
      return nil
    }
  }
}
