internal import AMQP

extension Connection {
  /// Waits until the broker has acted on what was acknowledged of a queue, as far as that can be found out.
  mutating func settle(queue: String, within timeout: Duration) {
    do throws(AMQPError) {
      if let more = try ackBarrier(of: queue, within: timeout) { try requeue(more.tag) }
      _ = try status(ofQueue: queue)
    } catch {
      // A stream, a single consumer's queue or a broker that went: there is nothing more to be done.
    }
  }

  /// Takes one more task of a queue if there is one, which the broker answers after it has acted on what was
  /// acknowledged before; with an answer about the queue's state after that, all of it is sure.
  ///
  /// What the broker is told about a quorum queue it keeps back while 32 such things are under way, and
  /// forgets when the channel closes: tasks that were done would come again. Events other than the answer
  /// are dropped, so this is for the end.
  ///
  /// - Returns: the task, to be given back; nil when none waits.
  /// - Throws: `unsupported` where tasks can only be consumed; `timedOut`; what ends a connection.
  mutating func ackBarrier(of queue: String, within timeout: Duration) throws(AMQPError) -> Delivery? {
    try ask(queue: queue)
    let end = Deadline.after(timeout)
    while let event = try nextAnswer(from: queue, within: end.remaining ?? timeout) {
      if case .got(let task) = event { return task }
    }
    throw AMQPError(.timedOut, "get tasks of queue '\(queue)'", "the broker did not answer in time")
  }
}
