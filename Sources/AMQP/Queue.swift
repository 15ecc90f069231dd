/// A queue to be declared: the broker accepts an existing one only if these are its properties.
package struct Queue: Equatable, Sendable {
  package var name: String
  /// Whether the queue itself survives a restart of the broker.
  package var isDurable = true
  /// Whether the broker deletes it when its last consumer is gone.
  package var isAutoDelete = false
  /// The `x-` arguments: type, limits, dead-lettering.
  package var arguments = FieldTable()

  package init(name: String) {
    self.name = name
  }

  /// The broker's reply to a declare (`queue.declare-ok`).
  package struct Status: Equatable, Sendable {
    package let name: String
    /// Waiting tasks; unacknowledged ones are not counted.
    package let waiting: UInt32
    package let consumers: UInt32
  }
}
