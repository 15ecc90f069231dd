package import AMQP

extension FieldValue {
  /// The digits of a decimal: "3.14".
  package static func decimal(_ value: UInt32, scale: UInt8) -> String {
    guard scale > 0 else { return "\(value)" }
    let zeros = String(repeating: "0", count: max(0, Int(scale) + 1 - String(value).count))
    let digits = zeros + String(value)
    return "\(digits.dropLast(Int(scale))).\(digits.suffix(Int(scale)))"
  }
}
