/// A RabbitMQ's version, as far as it decides what the broker knows.
package struct BrokerVersion: Comparable, Sendable {
  package let major: Int
  package let minor: Int

  package init(_ major: Int, _ minor: Int) {
    (self.major, self.minor) = (major, minor)
  }

  /// Reads what a broker says of itself: "RabbitMQ 3.10.8".
  ///
  /// - Returns: nil for another product, or another way to count.
  package init?(broker: String) {
    let words = broker.split(separator: " ")
    guard words.count == 2, words[0] == "RabbitMQ" else { return nil }
    let numbers = words[1].split(separator: ".")
    guard numbers.count >= 2, let major = Int(numbers[0]), let minor = Int(numbers[1]) else { return nil }
    self.init(major, minor)
  }

  package static func < (left: Self, right: Self) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
}
