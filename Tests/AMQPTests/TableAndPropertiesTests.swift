import TestSupport
import Testing

@testable import AMQP

/// Round trips through the C structures of rabbitmq-c.
@Suite(.units) struct TableAndPropertiesTests {
  @Test func `every field type survives conversion to C and back`() {
    let table: FieldTable = [
      "boolean": .boolean(true), "i8": .int8(-8), "u8": .uint8(8), "i16": .int16(-16), "u16": .uint16(16),
      "i32": .int32(-32), "u32": .uint32(32), "i64": .int64(.min), "u64": .uint64(.max),
      "float": .float(1.5), "double": .double(-2.25), "decimal": .decimal(scale: 2, value: 314),
      "text": .text("Käse 🧀"), "empty": .text(""), "octets": .octets([0xff, 0]), "bytes": .bytes([1, 2]),
      "array": .array([.text("a"), .int32(1), .array([]), .table(["k": .boolean(false)])]),
      "time": .timestamp(1_700_000_000), "table": .table(["inner": .table([:])]), "void": .void,
    ]
    var pool = Pool()
    for _ in 0..<2 {
      let copy = FieldTable(pool.table(table))
      #expect(copy == table)
      pool.recycle()
    }
  }

  @Test func `every property survives conversion to C and back`() throws {
    var properties = Message.Properties()
    properties.contentType = "text/plain"
    properties.contentEncoding = "gzip"
    properties.headers = ["k": .text("v")]
    properties.deliveryMode = .persistent
    properties.priority = 9
    properties.correlationID = "c"
    properties.replyTo = "r"
    properties.expiration = "60000"
    properties.messageID = "m"
    properties.timestamp = 1_700_000_000
    properties.type = "t"
    properties.userID = "guest"
    properties.appID = "a"
    var pool = Pool()
    let copy = Message.Properties(try pool.properties(properties))
    #expect(copy == properties)
    // `Property.allCases` includes every property.
    var walked = Message.Properties()
    for property in Message.Properties.Property.allCases { walked[property] = properties[property] }
    #expect(walked == properties)
    for property in Message.Properties.Property.allCases { walked[property] = nil }
    #expect(walked == Message.Properties())
  }

  @Test func `accepts a text property of 255 bytes and refuses a longer one`() throws {
    let all: [WritableKeyPath<Message.Properties, String?>] = [
      \.contentType, \.contentEncoding, \.correlationID, \.replyTo, \.expiration, \.messageID, \.type,
      \.userID, \.appID,
    ]
    for property in all {
      var properties = Message.Properties()
      properties[keyPath: property] = String(repeating: "x", count: 255)
      try properties.check()
      properties[keyPath: property] = String(repeating: "x", count: 256)
      #expect(throws: AMQPError.self) { try properties.check() }
      var pool = Pool()
      #expect(throws: AMQPError.self) { try pool.properties(properties) }
    }
  }

  @Test func `keeps unset properties unset`() throws {
    var pool = Pool()
    let copy = Message.Properties(try pool.properties(.init()))
    #expect(copy == Message.Properties())
  }

  @Test func `replaces, appends and removes values of a table`() {
    var table: FieldTable = ["a": .int32(1), "b": .int32(2)]
    table["a"] = .int32(3)
    table["c"] = .int32(4)
    table["b"] = nil
    #expect(table == ["a": .int32(3), "c": .int32(4)])
    #expect(table["b"] == nil)
  }
}
