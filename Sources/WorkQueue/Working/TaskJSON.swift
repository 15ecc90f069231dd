internal import AMQP

/// A task as one object of JSON, with the keys of `peek --json`.
///
/// It is written straight into the bytes that a command reads, because tens of thousands of tasks a second can pass here.
enum TaskJSON {
  private static let quote = UInt8(ascii: "\"")
  private static let digits = Array("0123456789abcdef".utf8)

  static func append(_ job: Job, queue: String, to bytes: inout [UInt8]) {
    let (message, origin) = (job.delivery.message, job.delivery.origin)
    let properties = message.properties
    bytes.append(contentsOf: #"{"task":"#.utf8)
    append(job.number, &bytes)
    if let text = String(validating: message.body, as: UTF8.self) {
      append("body", text, &bytes)
    } else {
      append("body_base64", Base64.encoded(message.body), &bytes)
    }
    append("attempt", job.attempt, &bytes)
    bytes.append(
      contentsOf: (job.delivery.isRedelivered ? #","redelivered":true"# : #","redelivered":false"#).utf8)
    append("queue", queue, &bytes)
    append("exchange", origin.exchange, &bytes)
    append("routing_key", origin.routingKey, &bytes)
    append("message_id", properties.messageID, &bytes)
    append("correlation_id", properties.correlationID, &bytes)
    append("reply_to", properties.replyTo, &bytes)
    append("type", properties.type, &bytes)
    append("app_id", properties.appID, &bytes)
    append("user_id", properties.userID, &bytes)
    append("content_type", properties.contentType, &bytes)
    append("content_encoding", properties.contentEncoding, &bytes)
    append("ttl", properties.expiration.map { "\($0)ms" }, &bytes)
    append("priority", properties.priority, &bytes)
    append("timestamp", properties.timestamp, &bytes)
    bytes.append(
      contentsOf: (properties.deliveryMode == .persistent ? #","persistent":true"# : #","persistent":false"#)
        .utf8)
    if let headers = properties.headers {
      append(key: "headers", &bytes)
      append(headers, &bytes)
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private static func append(key: String, _ bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: ","))
    bytes.append(quote)
    bytes.append(contentsOf: key.utf8)
    bytes.append(quote)
    bytes.append(UInt8(ascii: ":"))
  }

  private static func append(_ key: String, _ text: String?, _ bytes: inout [UInt8]) {
    guard let text else { return }
    append(key: key, &bytes)
    append(text, &bytes)
  }

  private static func append(_ key: String, _ number: (some BinaryInteger)?, _ bytes: inout [UInt8]) {
    guard let number else { return }
    append(key: key, &bytes)
    append(number, &bytes)
  }

  private static func append(_ number: some BinaryInteger, _ bytes: inout [UInt8]) {
    guard let number = UInt64(exactly: number) else { return bytes.append(contentsOf: String(number).utf8) }
    // Without a string for it.
    var scale: UInt64 = 1
    while number / scale >= 10 { scale *= 10 }
    while scale > 0 {
      bytes.append(digits[Int(number / scale % 10)])
      scale /= 10
    }
  }

  /// Of headers with one name, the first counts.
  private static func append(_ table: FieldTable, _ bytes: inout [UInt8]) {
    var seen = Set<String>()
    bytes.append(UInt8(ascii: "{"))
    for entry in table.entries where seen.insert(entry.name).inserted {
      if seen.count > 1 { bytes.append(UInt8(ascii: ",")) }
      append(entry.name, &bytes)
      bytes.append(UInt8(ascii: ":"))
      append(entry.value, &bytes)
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private static func append(_ value: FieldValue, _ bytes: inout [UInt8]) {
    switch value {
    case .boolean(let it): bytes.append(contentsOf: (it ? "true" : "false").utf8)
    case .int8(let it): append(it, &bytes)
    case .uint8(let it): append(it, &bytes)
    case .int16(let it): append(it, &bytes)
    case .uint16(let it): append(it, &bytes)
    case .int32(let it): append(it, &bytes)
    case .uint32(let it): append(it, &bytes)
    case .int64(let it): append(it, &bytes)
    case .uint64(let it), .timestamp(let it): append(it, &bytes)
    case .float(let it): append(Double(it), &bytes)
    case .double(let it): append(it, &bytes)
    case .decimal(let scale, let it): append(FieldValue.decimal(it, scale: scale), &bytes)
    case .text(let it): append(it, &bytes)
    case .octets(let it), .bytes(let it): append(Base64.encoded(it), &bytes)
    case .array(let it):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in it.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(value, &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .table(let it): append(it, &bytes)
    case .void: bytes.append(contentsOf: "null".utf8)
    }
  }

  private static func append(_ number: Double, _ bytes: inout [UInt8]) {
    if let whole = Int64(exactly: number), number.magnitude < 0x1p53 {
      append(whole, &bytes)
    } else if number.isFinite {
      bytes.append(contentsOf: "\(number)".utf8)
    } else {
      append("\(number)", &bytes)  // JSON has no infinity and no NaN
    }
  }

  private static func append(_ text: String, _ bytes: inout [UInt8]) {
    bytes.append(quote)
    var text = text
    text.withUTF8 { utf8 in
      // What needs no escape is copied in one piece.
      var start = 0
      for index in 0..<utf8.count {
        let byte = unsafe utf8[index]
        guard byte < 0x20 || byte == quote || byte == UInt8(ascii: "\\") else { continue }
        unsafe bytes.append(contentsOf: utf8[start..<index])
        appendEscape(of: byte, &bytes)
        start = index + 1
      }
      unsafe bytes.append(contentsOf: utf8[start...])
    }
    bytes.append(quote)
  }

  private static func appendEscape(of byte: UInt8, _ bytes: inout [UInt8]) {
    switch byte {
    case quote, UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
    case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
    case UInt8(ascii: "\r"): bytes.append(contentsOf: #"\r"#.utf8)
    case UInt8(ascii: "\t"): bytes.append(contentsOf: #"\t"#.utf8)
    default:
      bytes.append(contentsOf: #"\u00"#.utf8)
      bytes.append(contentsOf: [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
    }
  }
}
