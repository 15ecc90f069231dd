internal import CRabbitMQ

extension Message.Properties {
  /// Checks whether the properties can be sent, before anything is sent.
  ///
  /// - Throws: `tooLarge`, as `checkNames()` and `checkSize(frameMax:)` do.
  package func check() throws(AMQPError) {
    try checkNames()
    try checkSize()
  }

  /// Checks that each property and each header's name can be sent, before anything is sent.
  ///
  /// - Throws: `tooLarge`, which names the one that is too long.
  package func checkNames() throws(AMQPError) {
    for property in Property.allCases {
      try AMQPError.checkLength(self[property]?.text, "the \(property.name)")
    }
    if let headers { try FieldValue.table(headers).checkNames() }
  }

  /// Checks that the properties fit into a frame and leave space for the headers that the broker adds.
  ///
  /// `frameMax` is in bytes. The broker adds `x-death` to a task that it dead-letters, and no consumer could read a
  /// frame that becomes too large by this.
  ///
  /// - Throws: `tooLarge` with both sizes.
  package func checkSize(frameMax: Int = Connection.frameMax) throws(AMQPError) {
    guard headers != nil else { return }  // The other properties fit into the smallest frame.
    let most = frameMax - min(8192, frameMax / 4)
    let size = frameSize
    guard size > most else { return }
    throw AMQPError(
      .tooLarge, "publish",
      "the headers take \(size) bytes, and \(most) is the maximum: of a frame's \(frameMax) bytes, "
        + "\(frameMax - most) are kept free for headers that the broker adds")
  }

  /// The size of the header frame that carries these properties, in bytes.
  var frameSize: Int {
    // Frame type, channel, size and end; class, weight, body size and flags.
    var size = 8 + 14
    for property in Property.allCases {
      // A short string has one byte for its length, where a header's text has four.
      if let value = self[property] { size += value.encodedSize - (property.isText ? 3 : 0) }
    }
    return size
  }
}

extension FieldValue {
  /// The size of the value without its type's letter, in bytes.
  fileprivate var encodedSize: Int {
    switch self {
    case .void: 0
    case .boolean, .int8, .uint8: 1
    case .int16, .uint16: 2
    case .int32, .uint32, .float: 4
    case .int64, .uint64, .double, .timestamp: 8
    case .decimal: 5
    case .text(let it): 4 + it.utf8.count
    case .octets(let it), .bytes(let it): 4 + it.count
    case .array(let it): it.reduce(4) { $0 + 1 + $1.encodedSize }
    case .table(let it): it.entries.reduce(4) { $0 + 1 + $1.name.utf8.count + 1 + $1.value.encodedSize }
    }
  }

  /// Refuses names that are too long, also in nested tables.
  fileprivate func checkNames() throws(AMQPError) {
    switch self {
    case .table(let table):
      for entry in table.entries {
        try AMQPError.checkLength(entry.name, "the name of a header")
        try entry.value.checkNames()
      }
    case .array(let values):
      for value in values { try value.checkNames() }
    default: break
    }
  }
}

extension AMQPError {
  /// AMQP's short strings have one byte for their length; for longer text the library would send a malformed frame.
  static let longestName = 255

  static func checkLength(_ text: String?, _ what: @autoclosure () -> String) throws(AMQPError) {
    guard let count = text?.utf8.count, count > longestName else { return }
    throw AMQPError(.tooLarge, "send", "\(what()) has \(count) bytes, \(longestName) at most")
  }
}
