package import AMQP

/// Finds properties of queues that AMQP has no request for, from RabbitMQ's refusals.
extension Connection {
  /// Maximum number of properties in which a queue can differ.
  private static let mostProperties = 24

  /// Every difference between an existing queue and its declaration; the broker reports one at a time.
  ///
  /// Declares the queue repeatedly, each time with the last mismatch replaced by the broker's value. So the existing
  /// queue is not changed.
  ///
  /// - Parameters:
  ///   - queue: the queue as it was declared.
  ///   - refusal: the broker's reply to that.
  /// - Returns: the mismatches, and the existing queue as far as it is known; nil when the refusal had another reason.
  /// - Throws: errors that end a connection.
  package mutating func mismatches(
    of queue: Queue, after refusal: AMQPError
  ) throws(AMQPError) -> (list: [PropertyMismatch], actual: Queue)? {
    var (list, actual): ([PropertyMismatch], Queue) = ([], queue)
    var answer: AMQPError? = refusal
    while list.count < Self.mostProperties, let mismatch = answer.flatMap({ PropertyMismatch($0) }) {
      list.append(mismatch)
      guard let closer = actual.adopting(mismatch) else { break }
      actual = closer
      answer = try self.refusal(of: closer)
    }
    return list.isEmpty ? nil : (list, actual)
  }

  /// An existing queue's type, found without touching its tasks: "classic", "quorum", "stream".
  ///
  /// Declares it with an invalid type, which no broker creates, so that the refusal contains the actual one. The
  /// user needs the permission to configure the queue, and the broker logs the refusal.
  ///
  /// - Returns: nil when there is no such queue, or the broker does not report the type.
  package mutating func type(ofQueue name: String) throws(AMQPError) -> String? {
    var queue = Queue(name: name)
    queue.arguments["x-queue-type"] = .text("?")
    for _ in 0..<Self.mostProperties {
      // Brokers have only ever ignored the argument for classic queues.
      guard let refusal = try refusal(of: queue) else { return "classic" }
      guard let mismatch = PropertyMismatch(refusal) else { return nil }
      if mismatch.property == "x-queue-type" { return mismatch.actualIsGiven ? mismatch.actual : "classic" }
      guard let closer = queue.adopting(mismatch) else { return nil }
      queue = closer
    }
    return nil
  }

  /// Declares a queue; nil when the broker accepts this.
  private mutating func refusal(of queue: Queue) throws(AMQPError) -> AMQPError? {
    do throws(AMQPError) {
      _ = try declare(queue)
      return nil
    } catch  where error.kind == .preconditionFailed || error.kind == .accessRefused {
      return error
    }
  }
}
