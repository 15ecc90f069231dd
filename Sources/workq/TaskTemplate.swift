internal import AMQP
internal import Glibc
internal import WorkQueue

/// What the tasks of one publish have in common.
struct TaskTemplate {
  var properties: Message.Properties
  var exchange = ""
  var routingKey: String
  var delay: Duration?

  /// Why the destination is invalid; nil when it is valid.
  var misdirection: String? {
    if exchange.isEmpty && routingKey.isEmpty { return "the queue's name is empty" }
    guard let delay, delay.milliseconds > 0 else { return nil }
    guard exchange.isEmpty else { return "a delay leads to a queue: it does not go with an exchange" }
    guard properties.expiration == nil else {
      return "a delay and a TTL exclude each other: RabbitMQ removes the TTL when the delay ends"
    }
    let name = WaitingQueue.delay(of: routingKey, by: delay, in: ISOWeek(secondsSince1970: time(nil))).name
    return name.utf8.count > 255 ? "the queue's name is too long for a delay: '\(name)'" : nil
  }

  /// A task with this body, with an id and a timestamp if it has none.
  func envelope(_ body: [UInt8], _ ids: inout MessageID) -> Envelope {
    var properties = properties
    if properties.messageID == nil { properties.messageID = ids.next() }
    if properties.timestamp == nil { properties.timestamp = UInt64(time(nil)) }
    return Envelope(
      Message(body: body, properties: properties), exchange: exchange, routingKey: routingKey,
      delay: delay.flatMap { $0.milliseconds > 0 ? $0 : nil })
  }
}
