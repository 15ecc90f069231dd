internal import AMQP
internal import WorkQueue

/// A waiting task as text, or as JSON.
enum PeekReport {
  /// Number of bytes of a body that are shown as text.
  private static let mostBytes = 4096

  /// The headers that workers write, with their labels.
  private static let told = [
    (TaskHeaders.attempts, "attempts"), (TaskHeaders.reason, "failed because"),
    (TaskHeaders.exitStatus, "exit status"), (TaskHeaders.signal, "signal"), (TaskHeaders.host, "on host"),
    (TaskHeaders.firstFailure, "first failure"), (TaskHeaders.lastFailure, "last failure"),
  ]

  // MARK: Text

  /// A heading, the properties that the task has, and its body.
  static func lines(_ task: Delivery, number: Int) -> [String] {
    let deaths = deaths(task)
    let (before, after) = (
      properties(task) + deaths + failure(task),
      headers(task, hasDeaths: !deaths.isEmpty) + [("body", body(task.message.body))]
    )
    let width = (before + after).map(\.0.count).max() ?? 0
    let heading = "[\(number)]\(task.isRedelivered ? " redelivered" : "")"
    let rows = [before, after].map { $0.map { "  \($0.0.padded(to: width))  \($0.1)" } }
    return [heading] + rows[0] + stderr(task) + rows[1]
  }

  /// The command's stderr, indented, line by line.
  private static func stderr(_ task: Delivery) -> [String] {
    guard let value = task.message.properties.headers?[TaskHeaders.stderr] else { return [] }
    let text = (value.text ?? value.description).split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    let lines = text.last == "" ? text.dropLast() : text[...]
    return ["  stderr"] + lines.map { $0.isEmpty ? "" : "    \(Quoted.plain(String($0)))" }
  }

  /// Why the broker dead-lettered the task, the last event first.
  private static func deaths(_ task: Delivery) -> [(String, String)] {
    DeadLetter.history(task.message.properties.headers).map { death in
      let count = death.count == 1 ? "" : ", \(death.count) times"
      let first = death.time.map { "\(death.count == 1 ? ", " : ", first at ")\(date($0))" } ?? ""
      return ("dead-lettered", "\(Quoted.plain(death.cause))\(count)\(first)")
    }
  }

  private static func properties(_ task: Delivery) -> [(String, String)] {
    let properties = task.message.properties
    let texts = [
      ("exchange", task.exchange.isEmpty ? nil : task.exchange), ("routing key", task.routingKey),
      ("message id", properties.messageID), ("correlation id", properties.correlationID),
      ("reply to", properties.replyTo), ("type", properties.type), ("app id", properties.appID),
      ("user id", properties.userID), ("content type", properties.contentType),
      ("content encoding", properties.contentEncoding),
      ("expires after", properties.expiration.map { "\($0) ms" }),
      ("priority", properties.priority.map { "\($0)" }),
      ("published", properties.timestamp.map(date)),
      ("delivery mode", properties.deliveryMode.map { $0 == .persistent ? "persistent" : "transient" }),
    ]
    return texts.compactMap { name, text in text.map { (name, Quoted.plain($0)) } }
  }

  private static func failure(_ task: Delivery) -> [(String, String)] {
    guard let headers = task.message.properties.headers else { return [] }
    return told.compactMap { name, label in headers[name].map { (label, Self.text(of: $0)) } }
  }

  private static func headers(_ task: Delivery, hasDeaths: Bool) -> [(String, String)] {
    (task.message.properties.headers?.entries ?? []).filter { entry in
      let isOfDeaths =
        entry.name == "x-death" || entry.name.wholeMatch(of: #/x-(first|last)-death-.*/#) != nil
      return entry.name != TaskHeaders.stderr && !(hasDeaths && isOfDeaths)
        && !told.contains { $0.0 == entry.name }
    }.map { ("header \(Quoted.plain($0.name))", Self.text(of: $0.value)) }
  }

  private static func text(of value: FieldValue) -> String {
    guard case .timestamp(let seconds) = value else { return Quoted.plain(value.description) }
    return date(seconds)
  }

  /// A time as ISO 8601.
  static func date(_ seconds: UInt64) -> String {
    // Later years have more than four digits.
    seconds < 253_402_300_800
      ? WallClock.iso8601(Int(seconds)) : "\(seconds) s after 1970"
  }

  private static func body(_ bytes: [UInt8]) -> String {
    guard bytes.count > mostBytes else { return Quoted.bytes(bytes) }
    return "\(Quoted.bytes(whole(bytes.prefix(mostBytes))))… (\(NumberFormat.grouped(bytes.count)) bytes)"
  }

  /// The start of a body, cut between characters.
  static func whole(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    for missing in 0..<4 {
      let shorter = Array(bytes.dropLast(missing))
      if String(validating: shorter, as: UTF8.self) != nil { return shorter }
    }
    return Array(bytes)
  }

  // MARK: As JSON

  /// The task's keys are those of `publish --jsonl`, which publishes it to this queue again and ignores `delivery`.
  static func json(_ task: Delivery, queue: String) -> JSONObject {
    let properties = task.message.properties
    var object: JSONObject = [
      .queue: queue, .delivery: delivery(task), .ttl: properties.expiration.map { "\($0)ms" },
      .persistent: properties.deliveryMode == .persistent,
    ]
    for property in Message.Properties.Property.allCases {
      // The two above have other keys.
      guard let key = JSONKey(rawValue: property.fieldName) else { continue }
      object[key] = properties[property].map { JSONValue($0) }
    }
    object.set(task.message.body, .body, orBase64: .bodyBase64)
    return object
  }

  /// How the task came to its queue.
  private static func delivery(_ task: Delivery) -> JSONObject {
    let headers = task.message.properties.headers
    return [
      .exchange: task.exchange, .routingKey: task.routingKey, .redelivered: task.isRedelivered,
      .attempt: headers?[TaskHeaders.attempts]?.plain.flatMap { Int64($0) },
      .error: headers?[TaskHeaders.reason]?.plain,
    ]
  }
}
