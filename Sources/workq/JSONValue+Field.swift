internal import AMQP
internal import WorkQueue

extension JSONValue {
  /// A header's value: bytes become base64, a timestamp its seconds since 1970.
  init(_ field: FieldValue) {
    self =
      switch field {
      case .boolean(let it): .boolean(it)
      case .int8(let it): .integer(Int64(it))
      case .uint8(let it): .integer(Int64(it))
      case .int16(let it): .integer(Int64(it))
      case .uint16(let it): .integer(Int64(it))
      case .int32(let it): .integer(Int64(it))
      case .uint32(let it): .integer(Int64(it))
      case .int64(let it): .integer(it)
      case .uint64(let it), .timestamp(let it): it.json
      case .float(let it): .number(Double(it))
      case .double(let it): .number(it)
      case .decimal, .text: .text(field.description)
      case .octets(let it), .bytes(let it): .text(Base64.encoded(it))
      case .array(let it): .array(it.map { JSONValue($0) })
      case .table(let it): JSONValue(it)
      case .void: .null
      }
  }

  /// The headers by name; of several with the same name only the first, which takes precedence.
  init(_ table: FieldTable) {
    self = .object(
      Dictionary(table.entries.map { ($0.name, JSONValue($0.value)) }) { first, _ in first })
  }

  /// The same value in a table of headers.
  ///
  /// - Throws: when RabbitMQ cannot represent a number. It reads a large unsigned 64-bit integer as a negative one.
  func field() throws(JSONRecord.Invalid) -> FieldValue {
    switch self {
    case .null: return .void
    case .boolean(let it): return .boolean(it)
    case .integer(let it): return .int64(it)
    case .unsigned(let it):
      guard let number = Double(exactly: it) else { throw Self.tooLarge }
      return .double(number)
    case .unlimited: throw Self.tooLarge
    case .number(let it): return .double(it)
    case .text(let it): return .text(it)
    case .array(let it):
      var values: [FieldValue] = []
      for value in it { values.append(try value.field()) }
      return .array(values)
    case .object(let it): return .table(try FieldTable(it))
    }
  }

  private static var tooLarge: JSONRecord.Invalid {
    JSONRecord.Invalid(
      reason:
        "it has an integer beyond \(Int64.min) to \(Int64.max), which RabbitMQ would change: make it a string"
    )
  }
}

extension FieldTable {
  /// The same names and values, in the order of the names.
  init(_ object: [String: JSONValue]) throws(JSONRecord.Invalid) {
    self.init()
    for (name, value) in object.sorted(by: { $0.key < $1.key }) { self[name] = try value.field() }
  }
}
