/// A task to be sent: a body of any bytes, and its properties.
package struct Message: Hashable, Sendable {
  package var body: [UInt8]
  package var properties: Properties

  package init(body: [UInt8], properties: Properties = Properties()) {
    self.body = body
    self.properties = properties
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(properties)
    // Hashes all bytes at once; an array would hash them one by one.
    unsafe body.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }

  /// The properties of AMQP's basic class; nil means not set.
  package struct Properties: Hashable, Sendable {
    /// Whether a message survives a restart of the broker.
    package enum DeliveryMode: UInt8, Sendable {
      /// Kept in the broker's memory: lost when it restarts.
      case transient = 1
      /// Written to the broker's disk.
      case persistent = 2
    }

    package var contentType: String?
    package var contentEncoding: String?
    package var headers: FieldTable?
    package var deliveryMode: DeliveryMode?
    package var priority: UInt8?
    package var correlationID: String?
    package var replyTo: String?
    /// How long it may wait in a queue, in milliseconds, as decimal text (AMQP's format).
    package var expiration: String?
    package var messageID: String?
    /// Seconds since 1970.
    package var timestamp: UInt64?
    package var type: String?
    package var userID: String?
    package var appID: String?

    package init(deliveryMode: DeliveryMode? = nil) { self.deliveryMode = deliveryMode }
  }
}
