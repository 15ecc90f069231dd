package import AMQP

/// What AMQP has no question for, but RabbitMQ's refusals tell.
extension Connection {
  /// No queue has more properties than this that could differ.
  private static let mostProperties = 24

  /// Everything in which an existing queue is not as it was declared; the broker names one at a time.
  ///
  /// Declares it again and again, each time with the last mismatch replaced by what the broker has: so the
  /// queue stays as it is.
  ///
  /// - Parameters:
  ///   - queue: as it was declared.
  ///   - refusal: what the broker said to that.
  /// - Returns: the mismatches, and the queue as the broker has it as far as it is known; nil when the
  ///   refusal was about something else.
  /// - Throws: what ends a connection.
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
  /// Declares it with a type that cannot be, which no broker makes, so that the refusal says what it is.
  /// The user needs the right to configure the queue, and the broker logs the refusal.
  ///
  /// - Returns: nil when there is no such queue, or the broker does not tell.
  package mutating func type(ofQueue name: String) throws(AMQPError) -> String? {
    var queue = Queue(name: name)
    queue.arguments["x-queue-type"] = .text("?")
    for _ in 0..<Self.mostProperties {
      // Only classic queues were ever declared without looking at the argument.
      guard let refusal = try refusal(of: queue) else { return "classic" }
      guard let mismatch = PropertyMismatch(refusal) else { return nil }
      if mismatch.property == "x-queue-type" { return mismatch.actualIsGiven ? mismatch.actual : "classic" }
      guard let closer = queue.adopting(mismatch) else { return nil }
      queue = closer
    }
    return nil
  }

  /// Declares a queue; nil when the broker agrees to it.
  private mutating func refusal(of queue: Queue) throws(AMQPError) -> AMQPError? {
    do throws(AMQPError) {
      _ = try declare(queue)
      return nil
    } catch  where error.kind == .preconditionFailed || error.kind == .accessRefused {
      return error
    }
  }
}
