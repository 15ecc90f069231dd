internal import AMQP

/// A name with a value as they are typed: `K=V` and `K: V` are text, `K:=V` is a number, true or false.
struct TypedValue: Equatable {
  let name: String
  let value: FieldValue

  init?(argument: String) {
    // As bytes, since a value need not be UTF-8.
    let bytes = RawArguments.bytes(of: argument)
    guard let mark = bytes.firstIndex(where: { "=:".utf8.contains($0) }), (1...255).contains(mark),
      let name = String(validating: bytes[..<mark], as: UTF8.self)
    else { return nil }
    self.name = name
    let rest = bytes[mark...]
    if rest.starts(with: ":=".utf8) {
      guard let value = Self.typed(String(decoding: rest.dropFirst(2), as: UTF8.self)) else { return nil }
      self.value = value
    } else if rest.starts(with: "=".utf8) {
      value = Self.text(rest.dropFirst())
    } else if rest.starts(with: ": ".utf8) {
      value = Self.text(rest.dropFirst(2).drop { $0 == UInt8(ascii: " ") })
    } else {
      return nil
    }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> FieldValue {
    String(validating: bytes, as: UTF8.self).map { .text($0) } ?? .octets(Array(bytes))
  }

  private static func typed(_ text: String) -> FieldValue? {
    if let number = Int64(text) { return .int64(number) }
    if let truth = Bool(text) { return .boolean(truth) }
    // RabbitMQ has no integers beyond 64 bits with a sign, and a floating-point number would change the value.
    let isInteger = (text.first == "-" ? text.dropFirst() : text[...]).utf8.allSatisfy {
      (0x30...0x39).contains($0)
    }
    guard !isInteger else { return nil }
    let isDecimal = text.utf8.allSatisfy { (0x30...0x39).contains($0) || ".-+eE".utf8.contains($0) }
    return isDecimal ? Double(text).flatMap { $0.isFinite ? .double($0) : nil } : nil
  }
}
