internal import AMQP

extension Envelope {
  /// The envelope that 1.0 encoded in these bytes, without its body.
  ///
  /// - Returns: nil when 1.0 cannot have written them.
  init?(former bytes: [UInt8], body: [UInt8]) {
    guard let table = try? FormerSpoolTable.decode(bytes), let exchange = table["exchange"]?.text,
      let routingKey = table["routing_key"]?.text
    else { return nil }
    self.init(Message(body: body), exchange: exchange, routingKey: routingKey)
    for entry in table.entries where !["exchange", "routing_key"].contains(entry.name) {
      if entry.name == "delay" {
        guard case .array(let parts) = entry.value, parts.count == 2, case .int64(let seconds) = parts[0],
          case .int64(let attoseconds) = parts[1]
        else { return nil }
        delay = Duration(secondsComponent: seconds, attosecondsComponent: attoseconds)
      } else {
        let name = String(entry.name.map { $0 == "_" ? "-" : $0 })
        guard let property = Message.Properties.Property(rawValue: name) else { return nil }
        message.properties[property] = entry.value
        guard message.properties[property] != nil else { return nil }
      }
    }
  }
}

/// 1.0's encoding of field tables: a type's letter, then the value; numbers in network byte order, and
/// variable-length values after their length.
///
/// The letters are RabbitMQ's, and "O" for a long string that is not UTF-8. No length is trusted.
struct FormerSpoolTable {
  /// Deeper nesting is not read, so that no file can exhaust the stack.
  private static let deepest = 128

  /// The bytes are malformed.
  struct Malformed: Error {}

  private var rest: ArraySlice<UInt8>

  /// The table that all of these bytes encode.
  static func decode(_ bytes: [UInt8]) throws(Malformed) -> FieldTable {
    var reader = FormerSpoolTable(rest: bytes[...])
    let table = try reader.table(depth: 0)
    guard reader.rest.isEmpty else { throw Malformed() }
    return table
  }

  private mutating func number<Number: FixedWidthInteger>() throws(Malformed) -> Number {
    try take(Number.bitWidth / 8).reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }

  private mutating func table(depth: Int) throws(Malformed) -> FieldTable {
    guard depth < Self.deepest else { throw Malformed() }
    var table = FieldTable()
    for _ in 0..<(try number() as UInt32) {
      let name = try text()
      table.entries.append(.init(name: name, value: try value(depth: depth + 1)))
    }
    return table
  }

  private mutating func array(depth: Int) throws(Malformed) -> [FieldValue] {
    guard depth < Self.deepest else { throw Malformed() }
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
