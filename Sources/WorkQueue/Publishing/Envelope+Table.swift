internal import AMQP

/// All of an envelope but its body, as a table, for writing it down.
extension Envelope {
  var table: FieldTable {
    var table: FieldTable = ["exchange": .text(exchange), "routing_key": .text(routingKey)]
    if let delay {
      let (seconds, attoseconds) = delay.components
      table["delay"] = .array([.int64(seconds), .int64(attoseconds)])
    }
    let properties = message.properties
    for (name, path) in Self.texts { table[name] = properties[keyPath: path].map { .text($0) } }
    table["headers"] = properties.headers.map { .table($0) }
    table["delivery_mode"] = properties.deliveryMode.map { .uint8($0.rawValue) }
    table["priority"] = properties.priority.map { .uint8($0) }
    table["timestamp"] = properties.timestamp.map { .timestamp($0) }
    return table
  }

  /// The envelope that such a table and a body describe.
  ///
  /// - Returns: nil when the table says anything that an envelope's own would not.
  init?(_ table: FieldTable, body: [UInt8]) {
    guard let exchange = table["exchange"]?.text, let routingKey = table["routing_key"]?.text else {
      return nil
    }
    self.init(Message(body: body), exchange: exchange, routingKey: routingKey)
    if case .array(let parts) = table["delay"], case .int64(let seconds) = parts.first,
      case .int64(let attoseconds) = parts.last
    {
      delay = Duration(secondsComponent: seconds, attosecondsComponent: attoseconds)
    }
    for (name, path) in Self.texts { message.properties[keyPath: path] = table[name]?.text }
    if case .table(let headers) = table["headers"] { message.properties.headers = headers }
    if case .uint8(let mode) = table["delivery_mode"] {
      message.properties.deliveryMode = .init(rawValue: mode)
    }
    if case .uint8(let priority) = table["priority"] { message.properties.priority = priority }
    if case .timestamp(let time) = table["timestamp"] { message.properties.timestamp = time }
    // As bytes, since a NaN among the headers equals nothing.
    guard TableCoding.encode(self.table) == TableCoding.encode(table) else { return nil }
  }

  private static var texts: [(String, WritableKeyPath<Message.Properties, String?>)] {
    [
      ("content_type", \.contentType), ("content_encoding", \.contentEncoding),
      ("correlation_id", \.correlationID), ("reply_to", \.replyTo), ("expiration", \.expiration),
      ("message_id", \.messageID), ("type", \.type), ("user_id", \.userID), ("app_id", \.appID),
    ]
  }
}
