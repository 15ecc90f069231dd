internal import CRabbitMQ

extension Connection {
  /// Looks a queue up without changing anything (passive `queue.declare`).
  ///
  /// - Returns: nil when there is no such queue.
  package mutating func status(ofQueue name: String) throws(AMQPError) -> Queue.Status? {
    do throws(AMQPError) {
      return try declare(Queue(name: name), isPassive: true, "look at queue '\(name)'")
    } catch  where error.kind == .notFound {
      return nil
    }
  }

  /// Makes a queue (`queue.declare`), or finds that it exists with just these properties.
  ///
  /// - Throws: `preconditionFailed` when it exists with others.
  package mutating func declare(_ queue: Queue) throws(AMQPError) -> Queue.Status {
    try declare(queue, isPassive: false, "declare queue '\(queue.name)'")
  }

  /// Makes a durable queue of this name if there is none; one that exists is left as it is.
  package mutating func ensure(queue name: String) throws(AMQPError) {
    do throws(AMQPError) {
      _ = try declare(Queue(name: name))
    } catch  where error.kind == .preconditionFailed {
      // Someone made it in the meantime, and differently.
    }
  }

  private mutating func declare(
    _ queue: Queue, isPassive: Bool, _ operation: String
  ) throws(AMQPError) -> Queue.Status {
    try checkLength(queue.name, "the queue's name")
    try prepareToAsk(operation)
    defer { pool.recycle() }
    let ok = unsafe amqp_queue_declare(
      state, Self.channel, pool.bytes(queue.name), isPassive ? 1 : 0, queue.isDurable ? 1 : 0, 0,
      queue.isAutoDelete ? 1 : 0, pool.table(queue.arguments))
    guard let ok = unsafe ok else {
      try unsafe check(amqp_get_rpc_reply(state), operation)
      throw AMQPError(.protocolViolation, operation, "no answer and no error")
    }
    return unsafe Queue.Status(
      name: ok.pointee.queue.text, waiting: ok.pointee.message_count, consumers: ok.pointee.consumer_count)
  }

  /// Removes the waiting tasks of a queue (`queue.purge`); those that workers hold are not waiting.
  ///
  /// - Returns: how many there were.
  package mutating func purge(queue name: String) throws(AMQPError) -> UInt32 {
    let operation = "purge queue '\(name)'"
    try checkLength(name, "the queue's name")
    try prepareToAsk(operation)
    defer { pool.recycle() }
    guard let ok = unsafe amqp_queue_purge(state, Self.channel, pool.bytes(name)) else {
      try unsafe check(amqp_get_rpc_reply(state), operation)
      throw AMQPError(.protocolViolation, operation, "no answer and no error")
    }
    return unsafe ok.pointee.message_count
  }

  /// Removes a queue and the tasks in it (`queue.delete`), those that workers hold among them.
  ///
  /// - Returns: how many tasks waited in it; a missing queue is none.
  /// - Throws: `preconditionFailed` when it is in use, or not empty, and that was a condition;
  ///   `unsupported` when its type knows no such condition.
  package mutating func delete(
    queue name: String, ifUnused: Bool = false, ifEmpty: Bool = false
  ) throws(AMQPError) -> UInt32 {
    let operation = "delete queue '\(name)'"
    try checkLength(name, "the queue's name")
    try prepareToAsk(operation)
    defer { pool.recycle() }
    let ok = unsafe amqp_queue_delete(
      state, Self.channel, pool.bytes(name), ifUnused ? 1 : 0, ifEmpty ? 1 : 0)
    guard let ok = unsafe ok else {
      try unsafe check(amqp_get_rpc_reply(state), operation)
      throw AMQPError(.protocolViolation, operation, "no answer and no error")
    }
    return unsafe ok.pointee.message_count
  }

  /// Has an exchange route messages with this key to a queue (`queue.bind`).
  package mutating func bind(
    queue name: String, exchange: String, routingKey: String
  ) throws(AMQPError) {
    try checkLength(name, "the queue's name")
    try checkLength(exchange, "the exchange's name")
    try checkLength(routingKey, "the routing key")
    let operation = "bind queue '\(name)' to exchange '\(exchange)'"
    try prepareToAsk(operation)
    defer { pool.recycle() }
    unsafe amqp_queue_bind(
      state, Self.channel, pool.bytes(name), pool.bytes(exchange), pool.bytes(routingKey), pool.table([:]))
    try unsafe check(amqp_get_rpc_reply(state), operation)
  }

  func checkLength(_ text: String, _ what: String) throws(AMQPError) {
    try AMQPError.checkLength(text, what)
  }
}
