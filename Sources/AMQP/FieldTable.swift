/// Named values of AMQP's types, in order: a message's headers, a queue's arguments.
package struct FieldTable: Hashable, Sendable, ExpressibleByDictionaryLiteral {
  /// A value, with its name.
  package struct Entry: Hashable, Sendable {
    package var name: String
    package var value: FieldValue

    package init(name: String, value: FieldValue) {
      self.name = name
      self.value = value
    }
  }

  package var entries: [Entry]

  package init(entries: [Entry] = []) {
    self.entries = entries
  }

  package init(dictionaryLiteral elements: (String, FieldValue)...) {
    entries = elements.map { Entry(name: $0.0, value: $0.1) }
  }

  /// The first value of that name; setting one replaces it or appends it, nil removes it.
  package subscript(name: String) -> FieldValue? {
    get { entries.first { $0.name == name }?.value }
    set {
      guard let newValue else { return entries.removeAll { $0.name == name } }
      if let index = entries.firstIndex(where: { $0.name == name }) {
        entries[index].value = newValue
      } else {
        entries.append(Entry(name: name, value: newValue))
      }
    }
  }
}

/// One value of a field table: every type of RabbitMQ's grammar, unchanged, so that a task can be published again as
/// it was.
package indirect enum FieldValue: Hashable, Sendable {
  case boolean(Bool)
  case int8(Int8)
  case uint8(UInt8)
  case int16(Int16)
  case uint16(UInt16)
  case int32(Int32)
  case uint32(UInt32)
  case int64(Int64)
  case uint64(UInt64)
  case float(Float)
  case double(Double)
  /// `value` divided by ten to the power of `scale`.
  case decimal(scale: UInt8, value: UInt32)
  /// A long string that is UTF-8.
  case text(String)
  /// A long string that is not UTF-8.
  case octets([UInt8])
  /// A byte array, a type of its own.
  case bytes([UInt8])
  case array([FieldValue])
  /// Seconds since 1970.
  case timestamp(UInt64)
  case table(FieldTable)
  case void

  /// The value as text, where it is one.
  package var text: String? {
    guard case .text(let text) = self else { return nil }
    return text
  }

  /// The value as a user types it; nil for bytes, lists and tables.
  package var plain: String? {
    switch self {
    case .boolean(let it): "\(it)"
    case .int8(let it): "\(it)"
    case .uint8(let it): "\(it)"
    case .int16(let it): "\(it)"
    case .uint16(let it): "\(it)"
    case .int32(let it): "\(it)"
    case .uint32(let it): "\(it)"
    case .int64(let it): "\(it)"
    case .uint64(let it): "\(it)"
    case .float(let it): "\(it)"
    case .double(let it): "\(it)"
    case .text(let it): it
    case .timestamp(let it): "\(it)"
    case .decimal, .octets, .bytes, .array, .table, .void: nil
    }
  }
}
