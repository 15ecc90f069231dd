internal import AMQP

/// A segment's form: it is read back only when every byte of it is the one that was written.
///
/// A line that names the format and how many bytes follow it. Then for each task: a checksum of the rest,
/// the lengths of its table and of its body, the table (`Envelope.table`), and the body as it is.
enum SpoolFile {
  private static let prefixSize = 16
  /// A body of this size or more is not copied.
  private static let largestCopy = 65_536

  /// What a file of `envelopes` is to hold, in pieces, so that large bodies need not be copied.
  ///
  /// - Returns: nil when a header is nested deeper than `TableCoding` goes.
  static func encode(_ envelopes: [Envelope]) -> [[UInt8]]? {
    var pieces: [[UInt8]] = []
    var small: [UInt8] = []
    var size = 0
    for envelope in envelopes {
      let (table, body) = (envelope.table, envelope.message.body)
      guard TableCoding.canEncode(table) else { return nil }
      let bytes = TableCoding.encode(table)
      let lengths = lengths(table: bytes.count, body: body.count)
      small.append(number: checksum(lengths, bytes, body))
      small += lengths + bytes
      size += prefixSize + bytes.count + body.count
      if body.count < largestCopy {
        small += body
      } else {
        pieces += [small, body]
        small = []
      }
    }
    return [header(size: size)] + pieces + [small]
  }

  /// Takes the envelopes out of a file of `size` bytes; more are never asked for.
  ///
  /// `read` returns so many of the file's next bytes, fewer at its end. Throws `corrupt`, and what `read`
  /// throws.
  static func decode(
    _ path: FilePath, size: Int, read: (Int) throws(SpoolError) -> [UInt8]
  ) throws(SpoolError) -> [Envelope] {
    let headerSize = header(size: 0).count
    var rest = size - headerSize
    guard rest >= 0, try read(headerSize) == header(size: rest) else {
      throw corrupt(path, "it is no spool file, or not complete")
    }
    var envelopes: [Envelope] = []
    while rest > 0 {
      let number = envelopes.count + 1
      let prefix = try read(prefixSize)
      guard prefix.count == prefixSize else { throw corrupt(path, "task \(number) is not complete") }
      var reader = TableReader(prefix)
      guard let sum: UInt32 = try? reader.number(), let tableSize: UInt32 = try? reader.number(),
        let bodySize: UInt64 = try? reader.number(), tableSize <= rest - prefixSize,
        bodySize <= rest - prefixSize - Int(tableSize)
      else { throw corrupt(path, "the lengths of task \(number) are wrong") }
      let table = try read(Int(tableSize))
      let body = try read(Int(bodySize))
      guard checksum(Array(prefix.dropFirst(4)), table, body) == sum,
        let decoded = try? TableCoding.decode(table), let envelope = Envelope(decoded, body: body)
      else { throw corrupt(path, "task \(number) is damaged") }
      envelopes.append(envelope)
      rest -= prefixSize + table.count + body.count
    }
    return envelopes
  }

  private static func header(size: Int) -> [UInt8] {
    let digits = String(size)
    return Array("workq spool 1, bytes: \(String(repeating: "0", count: 20 - digits.count))\(digits)\n".utf8)
  }

  private static func lengths(table: Int, body: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: UInt32(table))
    bytes.append(number: UInt64(body))
    return bytes
  }

  private static func checksum(_ parts: [UInt8]...) -> UInt32 {
    var checksum = Checksum()
    for part in parts { checksum.add(part) }
    return checksum.value
  }

  private static func corrupt(_ path: FilePath, _ detail: String) -> SpoolError {
    SpoolError(.corrupt, path, detail)
  }
}
