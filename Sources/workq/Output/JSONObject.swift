internal import WorkQueue

/// An object that `--json` prints in one line, sorted by key; nil values are omitted.
struct JSONObject: ExpressibleByDictionaryLiteral {
  private var values: [JSONKey: JSONValue] = [:]

  init(dictionaryLiteral elements: (JSONKey, (any JSONRepresentable)?)...) {
    for (key, value) in elements { values[key] = value?.json }
  }

  subscript(_ key: JSONKey) -> (any JSONRepresentable)? {
    get { values[key] }
    set { values[key] = newValue?.json }
  }

  /// Bytes as text if they are UTF-8, else as base64 under the other key.
  mutating func set(_ bytes: [UInt8], _ text: JSONKey, orBase64 base64: JSONKey) {
    if let string = String(validating: bytes, as: UTF8.self) {
      values[text] = .text(string)
    } else {
      values[base64] = .text(Base64.encoded(bytes))
    }
  }

  /// Without a newline at the end.
  var line: String { String(decoding: json.bytes, as: UTF8.self) }
}

extension JSONObject: JSONRepresentable {
  var json: JSONValue {
    .object(Dictionary(uniqueKeysWithValues: values.map { ($0.key.rawValue, $0.value) }))
  }
}

/// A type with a JSON representation.
protocol JSONRepresentable {
  var json: JSONValue { get }
}

extension JSONValue: JSONRepresentable {
  var json: JSONValue { self }
}

extension String: JSONRepresentable {
  var json: JSONValue { .text(self) }
}

extension Bool: JSONRepresentable {
  var json: JSONValue { .boolean(self) }
}

extension Double: JSONRepresentable {
  var json: JSONValue { .number(self) }
}

extension JSONRepresentable where Self: BinaryInteger {
  var json: JSONValue { Int64(exactly: self).map(JSONValue.integer) ?? .unsigned(UInt64(clamping: self)) }
}

extension Int: JSONRepresentable {}
extension Int32: JSONRepresentable {}
extension Int64: JSONRepresentable {}
extension UInt8: JSONRepresentable {}
extension UInt32: JSONRepresentable {}
extension UInt64: JSONRepresentable {}

extension Duration: JSONRepresentable {
  /// Seconds, to the microsecond.
  var json: JSONValue { .number((self / .microseconds(1)).rounded() / 1_000_000) }
}
