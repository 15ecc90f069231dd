internal import AMQP
internal import Glibc
internal import WorkQueue

/// What the tasks of one command have in common.
struct TaskTemplate {
  var properties: Message.Properties
  var exchange = ""
  var routingKey: String
  var delay: Duration?

  /// A task with this body; it gets an id and a time if it has none.
  func envelope(_ body: [UInt8], _ ids: inout MessageID) -> Envelope {
    var properties = properties
    if properties.messageID == nil { properties.messageID = ids.next() }
    if properties.timestamp == nil { properties.timestamp = UInt64(time(nil)) }
    return Envelope(
      Message(body: body, properties: properties), exchange: exchange, routingKey: routingKey, delay: delay)
  }
}
