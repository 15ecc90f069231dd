internal import AMQP

/// Takes what `TableCoding` wrote from the front of some bytes, and trusts no length that it finds there.
struct TableReader {
  typealias Malformed = TableCoding.Malformed

  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    rest = bytes[...]
  }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number<Number: FixedWidthInteger>() throws(Malformed) -> Number {
    try take(Number.bitWidth / 8).reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }

  mutating func table(depth: Int) throws(Malformed) -> FieldTable {
    guard depth < TableCoding.deepest else { throw Malformed() }
    var table = FieldTable()
    for _ in 0..<(try number() as UInt32) {
      let name = try text()
      table.entries.append(.init(name: name, value: try value(depth: depth + 1)))
    }
    return table
  }

  private mutating func array(depth: Int) throws(Malformed) -> [FieldValue] {
    guard depth < TableCoding.deepest else { throw Malformed() }
    var values: [FieldValue] = []
    for _ in 0..<(try number() as UInt32) { values.append(try value(depth: depth + 1)) }
    return values
  }

  private mutating func value(depth: Int) throws(Malformed) -> FieldValue {
    switch Unicode.Scalar(try number() as UInt8) {
    case "t": .boolean(try boolean())
    case "b": .int8(try number())
    case "B": .uint8(try number())
    case "s": .int16(try number())
    case "u": .uint16(try number())
    case "I": .int32(try number())
    case "i": .uint32(try number())
    case "l": .int64(try number())
    case "L": .uint64(try number())
    case "f": .float(Float(bitPattern: try number()))
    case "d": .double(Double(bitPattern: try number()))
    case "D": .decimal(scale: try number(), value: try number())
    case "S": .text(try text())
    case "O": .octets(try counted())
    case "x": .bytes(try counted())
    case "A": .array(try array(depth: depth))
    case "T": .timestamp(try number())
    case "F": .table(try table(depth: depth))
    case "V": .void
    default: throw Malformed()
    }
  }

  private mutating func boolean() throws(Malformed) -> Bool {
    switch try number() as UInt8 {
    case 0: false
    case 1: true
    default: throw Malformed()
    }
  }

  private mutating func text() throws(Malformed) -> String {
    guard let text = String(validating: try counted(), as: UTF8.self) else { throw Malformed() }
    return text
  }

  private mutating func counted() throws(Malformed) -> [UInt8] {
    Array(try take(Int(try number() as UInt32)))
  }

  private mutating func take(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
    guard count <= rest.count else { throw Malformed() }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }
}
