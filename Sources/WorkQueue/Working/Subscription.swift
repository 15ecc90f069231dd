internal import AMQP

/// A connection that consumes the work queue, and what the broker is still to be told on it.
struct Subscription: ~Copyable {
  private let options: Worker.Options
  private var connection: Connection
  private var ledger: AckLedger

  /// Connects and consumes.
  static func open(_ options: Worker.Options) throws(AMQPError) -> Subscription {
    let connection = try Connection.open(firstOf: options.addresses, options.connection)
    var subscription = Subscription(options: options, connection: connection, ledger: AckLedger(session: 0))
    try subscription.consume()
    return subscription
  }

  private init(options: Worker.Options, connection: consuming Connection, ledger: AckLedger) {
    self.options = options
    self.connection = connection
    self.ledger = ledger
  }

  var broker: String { connection.broker }
  var address: Address { connection.address }
  var descriptor: Int32 { connection.descriptor }
  /// How often the connection must be looked after.
  var careInterval: Duration? { connection.heartbeat.map { $0 / 3 } }

  /// Makes sure of the queue, and starts to receive its tasks; also after the broker stopped that.
  mutating func consume() throws(AMQPError) {
    try ensureQueue()
    try connection.consume(
      queue: options.queue, consumer: options.consumer, prefetch: options.prefetch,
      acknowledges: options.acknowledges)
    if ledger.session != connection.session { ledger = AckLedger(session: connection.session) }
  }

  mutating func nextEvent() throws(AMQPError) -> Event? {
    let event = try connection.nextEvent(within: .zero)
    if case .delivered(let delivery) = event, options.acknowledges { ledger.opened(delivery.tag) }
    return event
  }

  /// Notes that a task is done.
  ///
  /// - Returns: false when the broker will give it out again, whatever we say.
  mutating func finished(_ tag: Delivery.Tag) -> Bool {
    options.acknowledges ? ledger.finished(tag) : true
  }

  mutating func handBack(_ tag: Delivery.Tag) throws(AMQPError) {
    try connection.handBack(tag)
    ledger.handedBack(tag)
  }

  /// Tells the broker of all that is done.
  mutating func flush() throws(AMQPError) {
    for ack in ledger.flush() { try connection.acknowledge(ack.tag, multiple: ack.multiple) }
  }

  /// Takes no more tasks; those already on their way still come as events.
  mutating func stopConsuming() throws(AMQPError) {
    try connection.cancel(consumer: options.consumer)
  }

  consuming func close() {
    connection.close()
  }

  private mutating func ensureQueue() throws(AMQPError) {
    guard try connection.status(ofQueue: options.queue) == nil else { return }
    guard options.declares else {
      throw AMQPError(.notFound, "consume from queue '\(options.queue)'", "there is no such queue")
    }
    try connection.ensure(queue: options.queue)
  }
}
