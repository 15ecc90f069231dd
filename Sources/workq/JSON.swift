internal import FoundationEssentials

/// One JSON object per line, for `--json`.
enum JSON {
  static func line(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      preconditionFailure("a value of ours that JSON cannot hold: \(error)")
    }
  }

  /// A body's two forms, one of which is given: text where it is UTF-8.
  static func body(_ bytes: [UInt8]) -> (text: String?, base64: String?) {
    if let text = String(validating: bytes, as: UTF8.self) { return (text, nil) }
    return (nil, Data(bytes).base64EncodedString())
  }
}
