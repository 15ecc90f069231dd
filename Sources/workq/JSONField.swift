internal import AMQP
internal import FoundationEssentials

/// A header's value as JSON: bytes become base64, a timestamp its seconds since 1970.
struct JSONField: Encodable {
  let value: FieldValue

  /// The headers by their names; of several with one name, the first, which is the one that counts.
  static func object(_ table: FieldTable) -> [String: JSONField] {
    Dictionary(table.entries.map { ($0.name, JSONField(value: $0.value)) }) { first, _ in first }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch value {
    case .boolean(let it): try container.encode(it)
    case .int8(let it): try container.encode(it)
    case .uint8(let it): try container.encode(it)
    case .int16(let it): try container.encode(it)
    case .uint16(let it): try container.encode(it)
    case .int32(let it): try container.encode(it)
    case .uint32(let it): try container.encode(it)
    case .int64(let it): try container.encode(it)
    case .uint64(let it), .timestamp(let it): try container.encode(it)
    case .float(let it): try encode(Double(it), to: &container)
    case .double(let it): try encode(it, to: &container)
    case .decimal, .text: try container.encode(value.words)
    case .octets(let it), .bytes(let it): try container.encode(Data(it).base64EncodedString())
    case .array(let it): try container.encode(it.map { JSONField(value: $0) })
    case .table(let it): try container.encode(Self.object(it))
    case .void: try container.encodeNil()
    }
  }

  /// JSON has no word for what is no number.
  private func encode(_ number: Double, to container: inout any SingleValueEncodingContainer) throws {
    if number.isFinite { try container.encode(number) } else { try container.encode("\(number)") }
  }
}
