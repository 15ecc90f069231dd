import AMQP

@testable import WorkQueue

extension Envelope {
  /// An envelope with random properties, headers and bytes, without NaN, which does not equal itself.
  static func random(using random: inout some RandomNumberGenerator, bodyUpTo limit: Int = 300) -> Envelope {
    var envelope = Envelope(
      Message(body: bytes(upTo: limit, using: &random)), exchange: text(using: &random),
      routingKey: text(using: &random))
    if Bool.random(using: &random) {
      envelope.delay = .milliseconds(Int64.random(in: 0...1 << 50, using: &random))
    }
    let texts: [WritableKeyPath<Message.Properties, String?>] = [
      \.contentType, \.contentEncoding, \.correlationID, \.replyTo, \.expiration, \.messageID, \.type,
      \.userID, \.appID,
    ]
    for path in texts where Bool.random(using: &random) {
      envelope.message.properties[keyPath: path] = text(using: &random)
    }
    if Bool.random(using: &random) { envelope.message.properties.headers = table(using: &random, depth: 0) }
    if Bool.random(using: &random) {
      envelope.message.properties.deliveryMode = Bool.random(using: &random) ? .transient : .persistent
    }
    if Bool.random(using: &random) {
      envelope.message.properties.priority = .random(in: 0...255, using: &random)
    }
    if Bool.random(using: &random) { envelope.message.properties.timestamp = random.next() }
    return envelope
  }

  private static func bytes(upTo limit: Int, using random: inout some RandomNumberGenerator) -> [UInt8] {
    (0..<Int.random(in: 0...limit, using: &random)).map { _ in .random(in: 0...255, using: &random) }
  }

  private static func pick<Element>(
    _ elements: [Element], using random: inout some RandomNumberGenerator
  ) -> Element {
    elements[.random(in: elements.indices, using: &random)]
  }

  private static func text(using random: inout some RandomNumberGenerator) -> String {
    let letters = Array("aZ0 .\n\0é\u{301}🧀ﷺ")
    return String(
      (0..<Int.random(in: 0...12, using: &random)).map { _ in pick(letters, using: &random) })
  }

  private static func table(using random: inout some RandomNumberGenerator, depth: Int) -> FieldTable {
    FieldTable(
      entries: (0..<Int.random(in: 0...5, using: &random)).map { _ in
        .init(name: text(using: &random), value: value(using: &random, depth: depth))
      })
  }

  private static func value(using random: inout some RandomNumberGenerator, depth: Int) -> FieldValue {
    switch Int.random(in: 0..<(depth < 4 ? 19 : 17), using: &random) {
    case 0: .boolean(.random(using: &random))
    case 1: .int8(.random(in: .min ... .max, using: &random))
    case 2: .uint8(.random(in: .min ... .max, using: &random))
    case 3: .int16(.random(in: .min ... .max, using: &random))
    case 4: .uint16(.random(in: .min ... .max, using: &random))
    case 5: .int32(.random(in: .min ... .max, using: &random))
    case 6: .uint32(.random(in: .min ... .max, using: &random))
    case 7: .int64(.random(in: .min ... .max, using: &random))
    case 8: .uint64(.random(in: .min ... .max, using: &random))
    case 9: .float(pick([0, 1.5, -.infinity, .leastNonzeroMagnitude], using: &random))
    case 10: .double(pick([0, .pi, .infinity, -.greatestFiniteMagnitude], using: &random))
    case 11:
      .decimal(
        scale: .random(in: 0...255, using: &random), value: .random(in: .min ... .max, using: &random))
    case 12: .text(text(using: &random))
    case 13: .octets([0xff] + bytes(upTo: 20, using: &random))
    case 14: .bytes(bytes(upTo: 20, using: &random))
    case 15: .timestamp(random.next())
    case 16: .void
    case 17: .table(table(using: &random, depth: depth + 1))
    default:
      .array(
        (0..<Int.random(in: 0...4, using: &random)).map { _ in value(using: &random, depth: depth + 1) })
    }
  }
}
