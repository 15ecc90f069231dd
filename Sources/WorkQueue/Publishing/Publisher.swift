package import AMQP

/// Sends tasks so that the word "published" can be believed.
///
/// 1. Every task is mandatory and confirmed: a queue has it, and the broker has taken responsibility.
/// 2. A queue that is missing is made when a task comes back for want of it, and the task is sent again;
///    so an existing queue is used as it is, whatever its properties, and costs no question.
/// 3. A broker that does not answer, or does not read, is given `confirmTimeout` and no more.
package struct Publisher: ~Copyable {
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    /// Whether a missing queue is made.
    package var declares = true
    /// For a task's confirm, and for each send and question on the way to it.
    package var confirmTimeout = Duration.seconds(30)

    package init(addresses: [Address], connection: Connection.Options) {
      self.addresses = addresses
      self.connection = connection
    }
  }

  /// How the broker answered.
  package enum Outcome: Equatable, Sendable {
    /// A queue has it.
    case confirmed
    /// No queue would take it, for the broker's reason.
    case unroutable(reason: String)
    /// The broker will not have it: the queue is full and told to refuse, or something about the task.
    case refused(reason: String)
  }

  private var connection: Connection
  private let options: Options
  private let report: (PublisherEvent) -> Void

  /// Connects, or throws why none of the brokers would have us; `report` is told of what happens.
  package init(_ options: Options, report: @escaping (PublisherEvent) -> Void) throws(AMQPError) {
    self.options = options
    self.report = report
    var settings = options.connection
    settings.rpcTimeout = options.confirmTimeout
    connection = try Connection.open(firstOf: options.addresses, settings)
    report(.connected(broker: connection.broker, address: connection.address))
  }

  /// The broker that we are connected to.
  package var address: Address { connection.address }

  /// Sends one task to a queue and waits for the broker's answer.
  ///
  /// - Throws: `tooLarge` before anything is sent; `timedOut` or `lost` when it is not known whether the
  ///   broker has it; what the broker says against it.
  package mutating func publish(_ message: Message, toQueue queue: String) throws(AMQPError) -> Outcome {
    let deadline = Deadline.after(options.confirmTimeout)
    let outcome = try send(message, to: queue, by: deadline)
    guard case .unroutable = outcome, options.declares else { return outcome }
    report(.declaring(queue: queue))
    try connection.ensure(queue: queue)
    return try send(message, to: queue, by: deadline)
  }

  package consuming func close() {
    connection.close()
  }

  private mutating func send(
    _ message: Message, to queue: String, by deadline: Deadline
  ) throws(AMQPError) -> Outcome {
    let tag = try connection.publish(message, routingKey: queue)
    var outcome = Outcome.confirmed
    while let event = try connection.nextEvent(within: deadline.remaining ?? .zero) {
      switch event {
      case .returned(let returned):
        outcome = .unroutable(reason: returned.reason)
      case .confirmed(let confirmed, let multiple, let accepted)
      where confirmed == tag || multiple && confirmed > tag:
        return accepted ? outcome : .refused(reason: "the queue is full, or cannot take it now")
      case .channelClosed(let error) where error.kind == .preconditionFailed:
        return .refused(reason: error.detail)
      case .channelClosed(let error): throw error
      case .blocked(let reason): report(.blocked(reason: reason, patience: deadline.remaining ?? .zero))
      case .unblocked: report(.unblocked)
      case .confirmed, .delivered, .cancelled: break
      }
    }
    throw AMQPError(.timedOut, "publish", "the broker has not confirmed the task in time")
  }
}

/// What a publisher has to say on its way.
package enum PublisherEvent: Equatable, Sendable {
  case connected(broker: String, address: Address)
  /// The task came back because there is no such queue.
  case declaring(queue: String)
  /// The broker takes nothing in for now; we wait for `patience` at the most.
  case blocked(reason: String, patience: Duration)
  case unblocked
}
