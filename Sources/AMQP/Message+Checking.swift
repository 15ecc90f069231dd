internal import CRabbitMQ

extension Message.Properties {
  /// Finds out before anything is sent whether the properties can be sent at all.
  ///
  /// - Throws: `tooLarge`, which names the one that is too long, or the headers when all of them together
  ///   do not fit into a frame.
  package func check() throws(AMQPError) {
    try checkLengths()
    guard let headers else { return }
    try FieldValue.table(headers).checkNames()
    var pool = Pool()
    var (outgoing, properties) = unsafe (Outgoing(), pool.properties(self))
    try unsafe outgoing.appendHeader(&properties, bodySize: 0, on: 1, frameMax: Int(Connection.frameMax))
  }
}

extension FieldValue {
  /// Refuses names that are too long, also in what is nested.
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
  /// AMQP's short strings have one byte for their length; the library sends a broken frame otherwise.
  static func checkLength(_ text: String?, _ what: @autoclosure () -> String) throws(AMQPError) {
    guard let count = text?.utf8.count, count > 255 else { return }
    throw AMQPError(.tooLarge, "send", "\(what()) has \(count) bytes, 255 at most")
  }
}
