/// A queue to be declared: the broker accepts an existing one only if these are its properties.
package struct Queue: Equatable, Sendable {
  package var name: String
  /// Whether the queue itself survives a restart of the broker.
  package var isDurable = true
  /// Whether it goes with the last of its consumers.
  package var isAutoDelete = false
  /// The `x-` arguments: type, limits, dead letters.
  package var arguments = FieldTable()

  package init(name: String) {
    self.name = name
  }

  /// What a broker says of a queue when it is declared (`queue.declare-ok`).
  package struct Status: Equatable, Sendable {
    package let name: String
    /// Tasks that wait; those handed to workers and not acknowledged yet are not counted.
    package let waiting: UInt32
    package let consumers: UInt32
  }
}
