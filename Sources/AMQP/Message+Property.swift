extension Message.Properties {
  /// The properties by their names: what lists, prints or stores them walks `allCases`, in the protocol's order.
  ///
  /// Frames are coded and checked by hand (`Pool.properties`), because each publish does that: a walk takes half as much
  /// processor time again.
  package enum Property: String, CaseIterable, Sendable {
    case contentType = "content-type"
    case contentEncoding = "content-encoding"
    case headers
    case deliveryMode = "delivery-mode"
    case priority
    case correlationID = "correlation-id"
    case replyTo = "reply-to"
    case expiration
    case messageID = "message-id"
    case timestamp
    case type
    case userID = "user-id"
    case appID = "app-id"

    /// As AMQP spells it: "content-type".
    package var name: String { rawValue }

    fileprivate var text: WritableKeyPath<Message.Properties, String?>? {
      switch self {
      case .contentType: \.contentType
      case .contentEncoding: \.contentEncoding
      case .correlationID: \.correlationID
      case .replyTo: \.replyTo
      case .expiration: \.expiration
      case .messageID: \.messageID
      case .type: \.type
      case .userID: \.userID
      case .appID: \.appID
      case .headers, .deliveryMode, .priority, .timestamp: nil
      }
    }
  }

  /// A property's value as AMQP's type for it; a value of another type removes it.
  package subscript(property: Property) -> FieldValue? {
    get {
      switch property {
      case .headers: headers.map { .table($0) }
      case .deliveryMode: deliveryMode.map { .uint8($0.rawValue) }
      case .priority: priority.map { .uint8($0) }
      case .timestamp: timestamp.map { .timestamp($0) }
      default: property.text.flatMap { self[keyPath: $0] }.map { .text($0) }
      }
    }
    set {
      switch (property, newValue) {
      case (.headers, .table(let it)): headers = it
      case (.headers, _): headers = nil
      case (.deliveryMode, .uint8(let it)): deliveryMode = DeliveryMode(rawValue: it)
      case (.deliveryMode, _): deliveryMode = nil
      case (.priority, .uint8(let it)): priority = it
      case (.priority, _): priority = nil
      case (.timestamp, .timestamp(let it)): timestamp = it
      case (.timestamp, _): timestamp = nil
      default: if let text = property.text { self[keyPath: text] = newValue?.text }
      }
    }
  }
}
