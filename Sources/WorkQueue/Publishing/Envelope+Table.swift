internal import AMQP

/// All of an envelope but its body, as a table, for writing it down.
extension Envelope {
  var table: FieldTable {
    var table: FieldTable = ["exchange": .text(exchange), "routing_key": .text(routingKey)]
    if let delay {
      let (seconds, attoseconds) = delay.components
      table["delay"] = .array([.int64(seconds), .int64(attoseconds)])
    }
    for property in Self.properties { table[property.fieldName] = message.properties[property] }
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
    for property in Self.properties { message.properties[property] = table[property.fieldName] }
    // As bytes, since a NaN among the headers equals nothing.
    guard TableCoding.encode(self.table) == TableCoding.encode(table) else { return nil }
  }

  /// In 1.0's order: records are compared by their bytes.
  private static let properties =
    Message.Properties.Property.allCases.filter(\.isText)
    + Message.Properties.Property.allCases.filter { !$0.isText }
}
