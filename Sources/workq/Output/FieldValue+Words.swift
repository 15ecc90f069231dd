internal import AMQP

extension FieldValue {
  /// The value for people: as they would type it, or as near to that as it gets.
  var words: String {
    switch self {
    case .decimal(let scale, let it): Self.decimal(it, scale: scale)
    case .octets(let it), .bytes(let it): Quoted.bytes(it)
    case .array(let it): "[\(it.map(\.words).joined(separator: ", "))]"
    case .table(let it): "{\(it.entries.map { "\($0.name): \($0.value.words)" }.joined(separator: ", "))}"
    default: plain ?? ""
    }
  }

  static func decimal(_ value: UInt32, scale: UInt8) -> String {
    guard scale > 0 else { return "\(value)" }
    let zeros = String(repeating: "0", count: max(0, Int(scale) + 1 - String(value).count))
    let digits = zeros + String(value)
    return "\(digits.dropLast(Int(scale))).\(digits.suffix(Int(scale)))"
  }
}
