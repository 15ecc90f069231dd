internal import AMQP

/// Field tables as bytes, of every type and bit by bit: a type's letter, then its value, numbers with their
/// highest byte first, and whatever has a length behind its length.
///
/// The letters are RabbitMQ's, and "O" for a long string that is not UTF-8.
enum TableCoding {
  /// Deeper nesting is neither written nor read, so that no file can exhaust the stack.
  static let deepest = 128

  /// The bytes do not say anything.
  struct Malformed: Error {}

  static func canEncode(_ table: FieldTable, depth: Int = 0) -> Bool {
    depth < deepest && table.entries.allSatisfy { canEncode($0.value, depth + 1) }
  }

  private static func canEncode(_ value: FieldValue, _ depth: Int) -> Bool {
    switch value {
    case .table(let table): canEncode(table, depth: depth)
    case .array(let values): depth < deepest && values.allSatisfy { canEncode($0, depth + 1) }
    default: true
    }
  }

  static func encode(_ table: FieldTable) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(table)
    return bytes
  }

  /// The table that is encoded by just these bytes.
  static func decode(_ bytes: [UInt8]) throws(Malformed) -> FieldTable {
    var reader = TableReader(bytes)
    let table = try reader.table(depth: 0)
    guard reader.isAtEnd else { throw Malformed() }
    return table
  }
}

extension [UInt8] {
  mutating func append(number: some FixedWidthInteger) {
    for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  private mutating func append(counted bytes: some Collection<UInt8>) {
    append(number: UInt32(bytes.count))
    append(contentsOf: bytes)
  }

  fileprivate mutating func append(_ table: FieldTable) {
    append(number: UInt32(table.entries.count))
    for entry in table.entries {
      append(counted: entry.name.utf8)
      append(entry.value)
    }
  }

  private mutating func append(_ letter: Unicode.Scalar, _ number: some FixedWidthInteger) {
    append(UInt8(ascii: letter))
    append(number: number)
  }

  private mutating func append(_ letter: Unicode.Scalar, counted bytes: some Collection<UInt8>) {
    append(UInt8(ascii: letter))
    append(counted: bytes)
  }

  private mutating func append(_ value: FieldValue) {
    switch value {
    case .boolean(let it): append("t", UInt8(it ? 1 : 0))
    case .int8(let it): append("b", it)
    case .uint8(let it): append("B", it)
    case .int16(let it): append("s", it)
    case .uint16(let it): append("u", it)
    case .int32(let it): append("I", it)
    case .uint32(let it): append("i", it)
    case .int64(let it): append("l", it)
    case .uint64(let it): append("L", it)
    case .float(let it): append("f", it.bitPattern)
    case .double(let it): append("d", it.bitPattern)
    case .decimal(let scale, let it):
      append("D", scale)
      append(number: it)
    case .text(let it): append("S", counted: it.utf8)
    case .octets(let it): append("O", counted: it)
    case .bytes(let it): append("x", counted: it)
    case .array(let it):
      append("A", UInt32(it.count))
      for value in it { append(value) }
    case .timestamp(let it): append("T", it)
    case .table(let it):
      append(UInt8(ascii: "F"))
      append(it)
    case .void: append(UInt8(ascii: "V"))
    }
  }
}
