internal import CRabbitMQ

extension FieldTable {
  /// Tables and arrays nested more deeply than this become `void`: a frame can hold 26,000 levels, which would
  /// exhaust the stack when they are copied, printed or encoded.
  static let deepest = 128

  /// Copies a table out of the library's memory.
  init(_ table: amqp_table_t, depth: Int = 0) {
    let entries = unsafe UnsafeBufferPointer(start: table.entries, count: Int(table.num_entries))
    self.init(
      entries: unsafe entries.map {
        unsafe Entry(name: $0.key.text, value: FieldValue($0.value, depth: depth + 1))
      }
    )
  }
}

extension FieldValue {
  /// Copies a value out of the library's memory; an unknown type becomes `void`.
  init(_ field: amqp_field_value_t, depth: Int) {
    let value = unsafe field.value
    switch amqp_field_value_kind_t(UInt32(unsafe field.kind)) {
    case AMQP_FIELD_KIND_BOOLEAN: self = unsafe .boolean(value.boolean != 0)
    case AMQP_FIELD_KIND_I8: self = unsafe .int8(value.i8)
    case AMQP_FIELD_KIND_U8: self = unsafe .uint8(value.u8)
    case AMQP_FIELD_KIND_I16: self = unsafe .int16(value.i16)
    case AMQP_FIELD_KIND_U16: self = unsafe .uint16(value.u16)
    case AMQP_FIELD_KIND_I32: self = unsafe .int32(value.i32)
    case AMQP_FIELD_KIND_U32: self = unsafe .uint32(value.u32)
    case AMQP_FIELD_KIND_I64: self = unsafe .int64(value.i64)
    case AMQP_FIELD_KIND_U64: self = unsafe .uint64(value.u64)
    case AMQP_FIELD_KIND_F32: self = unsafe .float(value.f32)
    case AMQP_FIELD_KIND_F64: self = unsafe .double(value.f64)
    case AMQP_FIELD_KIND_DECIMAL:
      self = unsafe .decimal(scale: value.decimal.decimals, value: value.decimal.value)
    case AMQP_FIELD_KIND_UTF8:
      let array = unsafe value.bytes.array
      self = String(validating: array, as: UTF8.self).map { .text($0) } ?? .octets(array)
    case AMQP_FIELD_KIND_BYTES: self = unsafe .bytes(value.bytes.array)
    case AMQP_FIELD_KIND_ARRAY where depth < FieldTable.deepest:
      let array = unsafe value.array
      let items = unsafe UnsafeBufferPointer(start: array.entries, count: Int(array.num_entries))
      self = unsafe .array(items.map { unsafe FieldValue($0, depth: depth + 1) })
    case AMQP_FIELD_KIND_TIMESTAMP: self = unsafe .timestamp(value.u64)
    case AMQP_FIELD_KIND_TABLE where depth < FieldTable.deepest:
      self = unsafe .table(FieldTable(value.table, depth: depth))
    default: self = .void
    }
  }
}

extension Pool {
  /// The C form of a table; valid until the pool is recycled.
  mutating func table(_ table: FieldTable) -> amqp_table_t {
    let entries = unsafe room(for: table.entries.count, of: amqp_table_entry_t.self)
    for (index, entry) in table.entries.enumerated() {
      let cEntry = unsafe amqp_table_entry_t(key: bytes(entry.name), value: field(entry.value))
      unsafe (entries + index).initialize(to: cEntry)
    }
    return unsafe amqp_table_t(num_entries: Int32(table.entries.count), entries: entries)
  }

  private mutating func field(_ value: FieldValue) -> amqp_field_value_t {
    var field = unsafe amqp_field_value_t()
    let kind: amqp_field_value_kind_t
    switch value {
    case .boolean(let it): unsafe (kind, field.value.boolean) = (AMQP_FIELD_KIND_BOOLEAN, it ? 1 : 0)
    case .int8(let it): unsafe (kind, field.value.i8) = (AMQP_FIELD_KIND_I8, it)
    case .uint8(let it): unsafe (kind, field.value.u8) = (AMQP_FIELD_KIND_U8, it)
    case .int16(let it): unsafe (kind, field.value.i16) = (AMQP_FIELD_KIND_I16, it)
    case .uint16(let it): unsafe (kind, field.value.u16) = (AMQP_FIELD_KIND_U16, it)
    case .int32(let it): unsafe (kind, field.value.i32) = (AMQP_FIELD_KIND_I32, it)
    case .uint32(let it): unsafe (kind, field.value.u32) = (AMQP_FIELD_KIND_U32, it)
    case .int64(let it): unsafe (kind, field.value.i64) = (AMQP_FIELD_KIND_I64, it)
    case .uint64(let it): unsafe (kind, field.value.u64) = (AMQP_FIELD_KIND_U64, it)
    case .float(let it): unsafe (kind, field.value.f32) = (AMQP_FIELD_KIND_F32, it)
    case .double(let it): unsafe (kind, field.value.f64) = (AMQP_FIELD_KIND_F64, it)
    case .decimal(let scale, let it):
      kind = AMQP_FIELD_KIND_DECIMAL
      unsafe field.value.decimal = amqp_decimal_t(decimals: scale, value: it)
    case .text(let it): unsafe (kind, field.value.bytes) = (AMQP_FIELD_KIND_UTF8, bytes(it))
    case .octets(let it): unsafe (kind, field.value.bytes) = (AMQP_FIELD_KIND_UTF8, bytes(it))
    case .bytes(let it): unsafe (kind, field.value.bytes) = (AMQP_FIELD_KIND_BYTES, bytes(it))
    case .array(let it): unsafe (kind, field.value.array) = (AMQP_FIELD_KIND_ARRAY, array(it))
    case .timestamp(let it): unsafe (kind, field.value.u64) = (AMQP_FIELD_KIND_TIMESTAMP, it)
    case .table(let it): unsafe (kind, field.value.table) = (AMQP_FIELD_KIND_TABLE, table(it))
    case .void: kind = AMQP_FIELD_KIND_VOID
    }
    unsafe field.kind = UInt8(kind.rawValue)
    return unsafe field
  }

  private mutating func array(_ values: [FieldValue]) -> amqp_array_t {
    let entries = unsafe room(for: values.count, of: amqp_field_value_t.self)
    for (index, value) in values.enumerated() {
      unsafe (entries + index).initialize(to: field(value))
    }
    return unsafe amqp_array_t(num_entries: Int32(values.count), entries: entries)
  }
}
