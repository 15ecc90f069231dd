internal import AMQP
internal import ArgumentParser

/// A name with a value as they are typed: `K=V` and `K: V` are text, `K:=V` is a number, true or false.
struct TypedValue: ExpressibleByArgument, Equatable {
  let name: String
  let value: FieldValue

  init?(argument: String) {
    guard let mark = argument.firstIndex(where: { $0 == "=" || $0 == ":" }) else { return nil }
    name = String(argument[..<mark])
    let rest = argument[mark...]
    guard !name.isEmpty, name.utf8.count <= 255, !RawArguments.isEscaped(name) else { return nil }
    if rest.hasPrefix(":=") {
      guard let value = Self.typed(rest.dropFirst(2)) else { return nil }
      self.value = value
    } else if rest.hasPrefix("=") {
      value = Self.text(rest.dropFirst())
    } else if rest.hasPrefix(": ") {
      value = Self.text(rest.dropFirst(2).drop { $0 == " " })
    } else {
      return nil
    }
  }

  private static func text(_ text: Substring) -> FieldValue {
    let text = String(text)
    return RawArguments.isEscaped(text) ? .octets(RawArguments.bytes(of: text)) : .text(text)
  }

  private static func typed(_ text: Substring) -> FieldValue? {
    if let number = Int64(text) { return .int64(number) }
    if let truth = Bool(String(text)) { return .boolean(truth) }
    let isDecimal = text.utf8.allSatisfy { (0x30...0x39).contains($0) || ".-+eE".utf8.contains($0) }
    return isDecimal ? Double(text).flatMap { $0.isFinite ? .double($0) : nil } : nil
  }
}
