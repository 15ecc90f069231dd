internal import AMQP

extension Connection {
  /// Waits until the broker has acted on the acknowledgements for a queue, as far as that can be known.
  mutating func settle(queue: String, within timeout: Duration) {
    do throws(AMQPError) {
      if let more = try ackBarrier(of: queue, within: timeout) { try requeue(more.tag) }
      _ = try status(ofQueue: queue)
    } catch {
      // A stream, a queue with a single active consumer, or a lost connection: there is nothing more to do.
    }
  }

  /// Gets one more task from a queue: the broker replies after it has processed the acknowledgements sent before.
  ///
  /// A later reply about the queue's state then confirms all of them.
  ///
  /// The broker buffers acknowledgements for a quorum queue while 32 commands are in flight, and loses them when the
  /// channel closes: tasks that are done would be redelivered. Events other than the reply are dropped, so call this
  /// only at the end.
  ///
  /// - Returns: the task, to be requeued; nil when none waits.
  /// - Throws: `unsupported` for queues without `basic.get`; `timedOut`; errors that end a connection.
  mutating func ackBarrier(of queue: String, within timeout: Duration) throws(AMQPError) -> Delivery? {
    try ask(queue: queue)
    let end = Deadline.after(timeout)
    while let event = try nextAnswer(from: queue, within: end.remaining ?? timeout) {
      if case .got(let task) = event { return task }
    }
    throw AMQPError(.timedOut, "get tasks of queue '\(queue)'", "the broker did not answer in time")
  }
}
