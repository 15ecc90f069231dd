internal import AMQP

/// An attempt to connect to the first broker that does not fail for now, and to consume.
///
/// It never blocks, except in `finish()`: its owner calls `advance()` when `descriptor` is ready or `nextDeadline` has
/// passed.
struct SubscriptionAttempt: ~Copyable {
  private let context: WorkerContext
  private let asksForTimeout: Bool
  private var attempt: ConnectionAttempt
  private var subscription: Subscription?
  /// Why the last broker failed that had accepted the connection.
  private var refusal: AMQPError?

  /// With `asksForTimeout`, it requests a time limit of our own if the broker supports that.
  init(_ context: WorkerContext, asksForTimeout: Bool = true) {
    (self.context, self.asksForTimeout) = (context, asksForTimeout)
    attempt = ConnectionAttempt(context.options.addresses, context.options.connection)
  }

  var descriptor: Int32? { mutating get { subscription?.descriptor ?? attempt.descriptor } }
  var waitsForWriting: Bool { mutating get { subscription?.waitsForWriting ?? attempt.waitsForWriting } }
  var nextDeadline: Deadline {
    mutating get {
      guard let subscription else { return attempt.nextDeadline }
      return min(subscription.requests.deadline, subscription.nextService)
    }
  }

  /// Continues as far as possible without blocking.
  ///
  /// - Returns: the subscription, when it consumes.
  /// - Throws: why the last broker failed, or the first permanent error.
  mutating func advance() throws(AMQPError) -> Subscription? {
    while true {
      if subscription == nil {
        do throws(AMQPError) {
          guard let connection = try attempt.advance() else { return nil }
          subscription = Subscription(context, connection, asksForTimeout: asksForTimeout)
        } catch { throw refusal ?? error }
      }
      do throws(AMQPError) { return try subscription?.setUp() == true ? subscription.take() : nil } catch {
        subscription = nil
        guard error.isTransient, attempt.hasMore else { throw error }
        refusal = error
      }
    }
  }

  /// Waits until it consumes.
  ///
  /// - Throws: what `advance()` throws; `interrupted`.
  mutating func finish() throws(AMQPError) -> Subscription {
    while true {
      if let subscription = try advance() { return subscription }
      try EventLoop.wait(for: descriptor, writing: waitsForWriting, until: nextDeadline, "connect")
    }
  }
}
