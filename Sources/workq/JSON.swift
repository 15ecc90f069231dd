internal import FoundationEssentials

/// One JSON object per line, for `--json`.
enum JSON {
  static func line(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return escaped(String(decoding: try encoder.encode(value), as: UTF8.self))
    } catch {
      preconditionFailure("a value of ours that JSON cannot hold: \(error)")
    }
  }

  /// JSON lets these stand as they are, and a terminal takes them for commands.
  private static func escaped(_ json: String) -> String {
    func isControl(_ scalar: Unicode.Scalar) -> Bool { (0x7f...0x9f).contains(scalar.value) }
    guard json.unicodeScalars.contains(where: isControl) else { return json }
    return String(
      String.UnicodeScalarView(
        json.unicodeScalars.flatMap { scalar in
          isControl(scalar) ? Array("\\u00\(String(scalar.value, radix: 16))".unicodeScalars) : [scalar]
        }))
  }

  /// A body's two forms, one of which is given: text where it is UTF-8.
  static func body(_ bytes: [UInt8]) -> (text: String?, base64: String?) {
    if let text = String(validating: bytes, as: UTF8.self) { return (text, nil) }
    return (nil, Data(bytes).base64EncodedString())
  }
}
