/// A version of RabbitMQ, as far as it decides what the broker supports.
package struct BrokerVersion: Comparable, Sendable {
  package let major: Int
  package let minor: Int

  package init(_ major: Int, _ minor: Int) {
    (self.major, self.minor) = (major, minor)
  }

  /// Parses the product and version that a broker reports: "RabbitMQ 3.10.8".
  ///
  /// - Returns: nil for another product, or another format.
  package init?(broker: String) {
    let parts = broker.split(separator: " ")
    guard parts.count == 2, parts[0] == "RabbitMQ" else { return nil }
    let numbers = parts[1].split(separator: ".")
    guard numbers.count >= 2, let major = Int(numbers[0]), let minor = Int(numbers[1]) else { return nil }
    self.init(major, minor)
  }

  /// Whether a quorum queue drops or dead-letters a task after 20 returns, unless it was declared with another limit.
  package var limitsDeliveries: Bool { self >= BrokerVersion(4, 0) }

  /// Whether a quorum queue counts a return without a reject, such as those of shutdowns and looks.
  package var countsReturns: Bool { self < BrokerVersion(4, 3) }

  package static func < (left: Self, right: Self) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
}
