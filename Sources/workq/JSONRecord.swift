internal import AMQP
internal import WorkQueue

/// One line of `--jsonl`: a body, and any of publish's properties by its long name.
///
/// `workq peek --json` writes such lines, so that its output can be published again.
struct JSONRecord {
  /// Why a line is malformed, for messages.
  struct Invalid: Error, Equatable {
    let reason: String
  }

  /// Parses one line; missing keys have the template's values.
  static func envelope(
    _ line: [UInt8], _ template: TaskTemplate, _ ids: inout MessageID
  ) throws(Invalid) -> Envelope {
    guard case .object(let object)? = try? JSONParser.value(line) else {
      throw Invalid(reason: "it is no JSON object")
    }
    let values = try byKey(object)
    var (template, body) = (template, [UInt8]?.none)
    for (key, value) in values {
      if key == "body" || key == "body-base64" {
        body = try Self.body(value, isBase64: key != "body")
      } else {
        try set(key, value, in: &template)
      }
    }
    guard let body else { throw Invalid(reason: "it has neither body nor body_base64") }
    if values["exchange"] != nil && values["routing-key"] == nil { template.routingKey = "" }
    if values["routing-key"] != nil && values["exchange"] == nil && template.exchange.isEmpty {
      throw Invalid(reason: "its routing_key goes with an exchange")
    }
    try check(template)
    return template.envelope(body, &ids)
  }

  /// The values by normalised key; keys have no order, so they must not contradict each other.
  private static func byKey(_ object: [String: JSONValue]) throws(Invalid) -> [String: JSONValue] {
    var values: [String: JSONValue] = [:]
    for (name, value) in object where value != .null || name.hasPrefix("body") {
      let key = name.replacing("_", with: "-")
      guard values.updateValue(value, forKey: key == "header" ? "headers" : key) == nil else {
        throw Invalid(reason: "it has \(name) twice")
      }
    }
    for (one, other) in [
      ("body", "body_base64"), ("persistent", "transient"), ("queue", "exchange"), ("queue", "routing_key"),
    ] where values[one] != nil && values[other.replacing("_", with: "-")] != nil {
      throw Invalid(reason: "it has both \(one) and \(other)")
    }
    return values
  }

  private static func check(_ template: TaskTemplate) throws(Invalid) {
    if let misdirection = template.misdirection { throw Invalid(reason: misdirection) }
    do throws(AMQPError) {
      try template.properties.check()
    } catch {
      throw Invalid(reason: error.detail)
    }
  }

  private static func body(_ value: JSONValue, isBase64: Bool) throws(Invalid) -> [UInt8] {
    guard case .text(let text) = value else { throw Invalid(reason: "its body is no string") }
    guard isBase64 else { return Array(text.utf8) }
    guard let bytes = Base64.decoded(text) else { throw Invalid(reason: "its body_base64 is not base64") }
    return bytes
  }

  private static func set(_ key: String, _ value: JSONValue, in template: inout TaskTemplate) throws(Invalid)
  {
    switch (key, value) {
    case ("delivery", .object): break  // peek's information about the delivery
    case ("headers", .object(let headers)):
      var table = template.properties.headers ?? FieldTable()
      let own = try FieldTable(headers)
      // The two trace headers belong together: a record's `traceparent` replaces both.
      if own[TraceContext.parentHeader] != nil { table[TraceContext.stateHeader] = nil }
      for entry in own.entries { table[entry.name] = entry.value }
      template.properties.headers = table
    case ("persistent", .boolean(let isOn)):
      template.properties.deliveryMode = isOn ? .persistent : .transient
    case ("transient", .boolean(let isOn)):
      template.properties.deliveryMode = isOn ? .transient : .persistent
    case ("priority", .integer(let number)) where (0...255).contains(number):
      template.properties.priority = UInt8(number)
    case ("timestamp", .integer(let number)) where number >= 0: template.properties.timestamp = UInt64(number)
    case ("timestamp", .unsigned(let number)): template.properties.timestamp = number
    case ("ttl", _): template.properties.expiration = "\(try timeSpan(key, value).duration.milliseconds)"
    case ("delay", _): template.delay = try delay(value)
    case (_, .text(let text)): try set(key, text, in: &template)
    default: throw unsuitable(key)
    }
  }

  private static func set(_ key: String, _ text: String, in template: inout TaskTemplate) throws(Invalid) {
    switch key {
    case "queue": (template.exchange, template.routingKey) = ("", text)
    case "exchange": template.exchange = text
    case "routing-key": template.routingKey = text
    default:
      // The key of the property expiration is ttl.
      guard let property = Message.Properties.Property(rawValue: key), property.isText,
        property != .expiration
      else { throw unsuitable(key) }
      template.properties[property] = .text(text)
    }
  }

  private static func timeSpan(_ key: String, _ value: JSONValue) throws(Invalid) -> TimeSpan {
    let span: TimeSpan? =
      switch value {
      case .text(let text): TimeSpan(argument: text)
      case .integer(let number) where number >= 0: TimeSpan(argument: "\(number)")
      case .number(let number) where number >= 0: TimeSpan(argument: "\(number)")
      default: nil
      }
    guard let span else { throw Invalid(reason: "its \(key) is no duration") }
    return span
  }

  private static func delay(_ value: JSONValue) throws(Invalid) -> Duration {
    let span = try timeSpan("delay", value)
    guard span.duration <= WaitingQueue.longestDelay else {
      throw Invalid(reason: "its delay is longer than \(WaitingQueue.longestDelayInDays) days")
    }
    return span.duration
  }

  private static func unsuitable(_ key: String) -> Invalid {
    let name = Quoted.bytes(Array(key.prefix(40).utf8))
    return Invalid(reason: "\(name) is no property of a task, or its value is not of its type")
  }
}
