internal import AMQP

/// A task's properties as environment variables.
///
/// No message can make the command fail to start: names consist of letters, digits and underscores, values contain no
/// NUL, and long values are omitted, since exec(2) refuses a string of 128 KiB, and everything beyond its total
/// limit.
struct JobEnvironment {
  private static let prefix = "WORKQ_"
  private static let headerPrefix = "WORKQ_HEADER_"
  /// A header longer than this, in bytes, is omitted.
  static let longestHeader = 16_384
  /// All headers of a task together get at most this many bytes.
  static let headersLimit = 131_072

  /// The variables of one run, each ended by a NUL.
  private(set) var bytes: [UInt8] = []

  /// The names that a run sets, except those of headers; an outer worker's are removed.
  static let names =
    [queue, attempt, redelivered, exchange, routingKey] + properties.map(\.name)
    + [TraceContext.parentVariable, TraceContext.stateVariable]

  private static let queue = prefix + "QUEUE"
  private static let attempt = prefix + "ATTEMPT"
  private static let redelivered = prefix + "REDELIVERED"
  private static let exchange = prefix + "EXCHANGE"
  private static let routingKey = prefix + "ROUTING_KEY"
  private static let properties: [(name: String, property: Message.Properties.Property)] =
    [
      .messageID, .priority, .contentType, .contentEncoding, .correlationID, .replyTo, .timestamp, .type,
      .appID,
    ]
    .map { (prefix + $0.fieldName.uppercased(), $0) }

  /// The names that belong to a process instead of a task.
  static let processNames = ["RESULT_FD", "BATCH"].map { prefix + $0 }

  /// Our variables that the command must not inherit: those of an outer worker, and systemd's for the worker.
  private static let removedNames = processNames + ["NOTIFY_SOCKET"]
  private static let removedPrefix = "WATCHDOG_"

  /// The variables that all runs share: ours, without those that a run sets itself.
  static func base(of environment: [[UInt8]]) -> [[UInt8]] {
    environment.filter { entry in
      let name = String(decoding: entry.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
      return !names.contains(name) && !removedNames.contains(name) && !name.hasPrefix(headerPrefix)
        && !name.hasPrefix(removedPrefix)
    }
  }

  /// `room` is what exec(2)'s limit leaves for the headers, in bytes.
  init(_ delivery: Delivery, queue: String, attempt: Int, room: Int = headersLimit) {
    let properties = delivery.message.properties
    let origin = delivery.origin
    bytes.reserveCapacity(512)
    add(Self.queue, queue)
    add(Self.attempt, String(attempt))
    add(Self.redelivered, delivery.isRedelivered ? "1" : "0")
    add(Self.exchange, origin.exchange)
    add(Self.routingKey, origin.routingKey)
    for (name, property) in Self.properties {
      if let value = properties[property]?.plain { add(name, value) }
    }
    guard let headers = properties.headers else { return }
    let start = bytes.count
    if let trace = TraceContext(headers) {
      add(TraceContext.parentVariable, trace.parent)
      if let state = trace.state, state.utf8.count <= Self.longestHeader {
        add(TraceContext.stateVariable, state)
      }
    }
    add(headers, room: min(room, Self.headersLimit) - (bytes.count - start))
  }

  /// One of our variables, ended by a NUL.
  static func variable(_ name: String, _ value: String) -> [UInt8] {
    Array("\(prefix)\(name)=\(value)\0".utf8)
  }

  /// Adds a variable, unless its value has a NUL.
  private mutating func add(_ name: String, _ value: String) {
    let start = bytes.count
    bytes += name.utf8
    bytes.append(UInt8(ascii: "="))
    bytes += value.utf8
    guard !bytes[start...].contains(0) else { return bytes.removeSubrange(start...) }
    bytes.append(0)
  }

  /// Adds the headers that can be represented; if two names become the same, only the first.
  private mutating func add(_ headers: FieldTable, room: Int) {
    var (seen, room) = (Set<String>(), room)
    for entry in headers.entries {
      let name = Self.sanitised(entry.name)
      guard !name.isEmpty, !seen.contains(name), let value = Self.bytes(of: entry.value),
        value.count <= Self.longestHeader, !value.contains(0)
      else { continue }
      // exec(2) counts a pointer for each string, too.
      let size = Self.headerPrefix.utf8.count + name.utf8.count + value.count + 2 + MemoryLayout<Int>.size
      guard size <= room else { continue }
      room -= size
      seen.insert(name)
      bytes.append(contentsOf: Self.headerPrefix.utf8)
      bytes.append(contentsOf: name.utf8)
      bytes.append(UInt8(ascii: "="))
      bytes.append(contentsOf: value)
      bytes.append(0)
    }
  }

  /// A name that every shell accepts: upper case, and "_" for what is neither a letter nor a digit.
  static func sanitised(_ name: String) -> String {
    String(
      decoding: name.utf8.map { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 0x20
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
        default: UInt8(ascii: "_")
        }
      }, as: UTF8.self)
  }

  /// A header's value as text; nil for tables and arrays.
  static func bytes(of value: FieldValue) -> [UInt8]? {
    switch value {
    case .decimal(let scale, let it): Array("\(it)e-\(scale)".utf8)
    case .octets(let it), .bytes(let it): it
    case .void: []
    default: value.plain.map { Array($0.utf8) }
    }
  }
}
