internal import CRabbitMQ

/// The operations of the protocol.
///
/// Those that declare, look up, purge, delete, bind, consume or cancel wait for the broker's reply. The others only
/// append to the output, which the next `nextEvent(within:)` or `sendUnsent()` sends.
extension Connection {
  // MARK: Queues

  /// Looks up a queue without changing anything (passive `queue.declare`).
  ///
  /// - Returns: nil when there is no such queue.
  package mutating func status(ofQueue name: String) throws(AMQPError) -> Queue.Status? {
    do throws(AMQPError) {
      return try declare(Queue(name: name), isPassive: true, "look at queue '\(name)'")
    } catch  where error.kind == .notFound {
      return nil
    }
  }

  /// Looks up a queue, repeatedly while its leader is too busy to count the waiting tasks.
  ///
  /// Up to RabbitMQ 3.13, a quorum queue's leader that does not answer within 250 ms is reported to have no tasks.
  package mutating func knownStatus(
    ofQueue name: String, within timeout: Duration
  ) throws(AMQPError) -> Queue.Status? {
    let end = Deadline.after(timeout)
    while true {
      let slow = Deadline.after(.milliseconds(200))
      guard let status = try status(ofQueue: name) else { return nil }
      if status.waiting > 0 || status.consumers > 0 || !slow.hasPassed || end.hasPassed { return status }
    }
  }

  /// Declares a queue (`queue.declare`); an existing queue must have the same properties.
  ///
  /// - Throws: `preconditionFailed` when it exists with others.
  package mutating func declare(_ queue: Queue) throws(AMQPError) -> Queue.Status {
    try declare(queue, isPassive: false, "declare queue '\(queue.name)'")
  }

  /// Declares a durable queue of this name if there is none; an existing queue is not changed.
  package mutating func ensure(queue name: String) throws(AMQPError) {
    do throws(AMQPError) {
      _ = try declare(Queue(name: name))
    } catch  where error.kind == .preconditionFailed {
      // Another client has declared it in the meantime, with other properties.
    }
  }

  private mutating func declare(
    _ queue: Queue, isPassive: Bool, _ operation: String
  ) throws(AMQPError) -> Queue.Status {
    var declare = unsafe try method(for: queue, isPassive: isPassive)
    return unsafe Self.status(try request(AMQP_QUEUE_DECLARE_METHOD, &declare, operation))
  }

  /// Declares or looks up a queue without waiting; `declared` or a refusal arrives as an event or error.
  package mutating func sendDeclare(_ queue: Queue, isPassive: Bool) throws(AMQPError) {
    try openChannel()
    var declare = unsafe try method(for: queue, isPassive: isPassive)
    try unsafe send(AMQP_QUEUE_DECLARE_METHOD, &declare, "declare queue '\(queue.name)'")
    pendingDeclarations += 1
  }

  private mutating func method(for queue: Queue, isPassive: Bool) throws(AMQPError)
    -> amqp_queue_declare_t
  {
    unsafe amqp_queue_declare_t(
      ticket: 0, queue: try pool.name(queue.name), passive: isPassive ? 1 : 0,
      durable: queue.isDurable ? 1 : 0, exclusive: 0, auto_delete: queue.isAutoDelete ? 1 : 0, nowait: 0,
      arguments: pool.table(queue.arguments))
  }

  static func status(_ answer: amqp_method_t) -> Queue.Status {
    let ok = unsafe answer.decoded(as: amqp_queue_declare_ok_t.self)
    return unsafe Queue.Status(
      name: ok.queue.text, waiting: ok.message_count, consumers: ok.consumer_count)
  }

  /// Removes the waiting tasks of a queue (`queue.purge`), but not the unacknowledged ones.
  ///
  /// - Returns: how many there were.
  package mutating func purge(queue name: String) throws(AMQPError) -> UInt32 {
    var purge = unsafe amqp_queue_purge_t(ticket: 0, queue: try pool.name(name), nowait: 0)
    return try unsafe request(AMQP_QUEUE_PURGE_METHOD, &purge, "purge queue '\(name)'")
      .decoded(as: amqp_queue_purge_ok_t.self).message_count
  }

  /// Deletes a queue and its tasks (`queue.delete`), including the unacknowledged ones.
  ///
  /// - Returns: how many tasks waited in it; 0 when there is no such queue.
  /// - Throws: `preconditionFailed` when it is in use, or not empty, and that was a condition; `unsupported` when its
  ///   type has no such condition.
  package mutating func delete(
    queue name: String, ifUnused: Bool = false, ifEmpty: Bool = false
  ) throws(AMQPError) -> UInt32 {
    var delete = unsafe amqp_queue_delete_t(
      ticket: 0, queue: try pool.name(name), if_unused: ifUnused ? 1 : 0,
      if_empty: ifEmpty ? 1 : 0, nowait: 0)
    return try unsafe request(AMQP_QUEUE_DELETE_METHOD, &delete, "delete queue '\(name)'")
      .decoded(as: amqp_queue_delete_ok_t.self).message_count
  }

  /// Binds a queue to an exchange with this routing key (`queue.bind`).
  package mutating func bind(
    queue name: String, exchange: String, routingKey: String
  ) throws(AMQPError) {
    var bind = unsafe amqp_queue_bind_t(
      ticket: 0, queue: try pool.name(name),
      exchange: try pool.name(exchange, "the exchange's name"),
      routing_key: try pool.name(routingKey, "the routing key"), nowait: 0, arguments: pool.table([:]))
    try unsafe request(AMQP_QUEUE_BIND_METHOD, &bind, "bind queue '\(name)' to exchange '\(exchange)'")
  }

  // MARK: Publishing

  /// Publishes a message (`basic.publish`, mandatory), and requests its confirm.
  ///
  /// With `leavesHeadroom`, the headers must leave space in their frame for headers that the broker adds.
  ///
  /// - Returns: the publish tag, which its confirm will carry. Tags count from 1 in each channel session.
  /// - Throws: `tooLarge` before anything is sent.
  package mutating func publish(
    _ message: Message, exchange: String = "", routingKey: String, confirms: Bool = true,
    leavesHeadroom: Bool = false
  ) throws(AMQPError) -> UInt64 {
    if leavesHeadroom { try message.properties.checkSize(frameMax: frameMax) }
    defer { pool.recycle() }
    var properties = try unsafe pool.properties(message.properties)
    var method = unsafe amqp_basic_publish_t(
      ticket: 0, exchange: try pool.name(exchange, "the exchange's name"),
      routing_key: try pool.name(routingKey, "the routing key"), mandatory: 1, immediate: 0)
    try openChannel()
    if confirms { try channel.selectConfirms(&writer) }
    try unsafe writer.append(&method, &properties, message.body, on: Channel.number, frameMax: frameMax)
    return channel.countPublish()
  }

  /// Sends a request that changes nothing for a publisher (`basic.qos`).
  ///
  /// The broker replies when it has read everything that was sent before, or reports why it could not.
  package mutating func publishBarrier() throws(AMQPError) {
    try setPrefetch(0, "publish")
  }

  // MARK: Consuming

  /// Starts to receive a queue's tasks (`basic.qos`, `basic.consume`); they arrive as events.
  ///
  /// - Parameters:
  ///   - queue: the queue's name.
  ///   - consumer: the consumer's tag, as the broker shows it.
  ///   - prefetch: maximum unacknowledged tasks; 0 means unlimited.
  ///   - acknowledges: whether the broker keeps a task until we acknowledge it.
  ///   - arguments: the consumer's arguments (`x-consumer-timeout`); a broker ignores unknown ones.
  /// - Throws: `notFound`, `locked`, or an error that ends a connection.
  package mutating func consume(
    queue: String, consumer: String, prefetch: UInt16, acknowledges: Bool, arguments: FieldTable = [:]
  ) throws(AMQPError) {
    let operation = "consume from queue '\(queue)'"
    try setPrefetch(prefetch, operation)
    var consume = unsafe try method(queue, consumer, acknowledges: acknowledges, arguments)
    try unsafe request(AMQP_BASIC_CONSUME_METHOD, &consume, operation)
  }

  /// Starts to receive a queue's tasks without waiting; `consuming` or a refusal arrives as an event or error.
  package mutating func sendConsume(
    queue: String, consumer: String, prefetch: UInt16, acknowledges: Bool, arguments: FieldTable
  ) throws(AMQPError) {
    let operation = "consume from queue '\(queue)'"
    try openChannel()
    var qos = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: prefetch, global: 0)
    try unsafe send(AMQP_BASIC_QOS_METHOD, &qos, operation)
    var consume = unsafe try method(queue, consumer, acknowledges: acknowledges, arguments)
    try unsafe send(AMQP_BASIC_CONSUME_METHOD, &consume, operation)
  }

  private mutating func method(
    _ queue: String, _ consumer: String, acknowledges: Bool, _ arguments: FieldTable
  ) throws(AMQPError) -> amqp_basic_consume_t {
    unsafe amqp_basic_consume_t(
      ticket: 0, queue: try pool.name(queue), consumer_tag: pool.bytes(consumer),
      no_local: 0, no_ack: acknowledges ? 0 : 1, exclusive: 0, nowait: 0,
      arguments: pool.table(arguments))
  }

  private mutating func setPrefetch(_ count: UInt16, _ operation: String) throws(AMQPError) {
    var qos = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: count, global: 0)
    try unsafe request(AMQP_BASIC_QOS_METHOD, &qos, operation)
  }

  /// Stops receiving (`basic.cancel`); deliveries in flight still arrive as events.
  package mutating func cancel(consumer: String) throws(AMQPError) {
    guard channel.isOpen else { return }
    var cancel = unsafe amqp_basic_cancel_t(consumer_tag: pool.bytes(consumer), nowait: 0)
    try unsafe request(AMQP_BASIC_CANCEL_METHOD, &cancel, "stop consuming")
  }

  /// Stops receiving without waiting; the reply arrives as `cancelled`.
  package mutating func sendCancel(consumer: String) throws(AMQPError) {
    guard channel.isOpen else { return }
    var cancel = unsafe amqp_basic_cancel_t(consumer_tag: pool.bytes(consumer), nowait: 0)
    try unsafe send(AMQP_BASIC_CANCEL_METHOD, &cancel, "stop consuming")
  }

  /// Removes a consumer that the broker has already cancelled (`basic.cancel`, without a reply).
  ///
  /// Otherwise RabbitMQ 4.3 keeps the consumer's tag. If it has unacknowledged deliveries, that broker closes the
  /// channel when the first of them times out.
  package mutating func forget(consumer: String) throws(AMQPError) {
    guard channel.isOpen else { return }
    var cancel = unsafe amqp_basic_cancel_t(consumer_tag: pool.bytes(consumer), nowait: 1)
    try unsafe send(AMQP_BASIC_CANCEL_METHOD, &cancel, "stop consuming")
  }

  /// Acknowledges a task (`basic.ack`), or all tasks delivered up to it.
  ///
  /// A tag of an earlier session is ignored: the broker has already redelivered that task.
  package mutating func acknowledge(_ tag: Delivery.Tag, multiple: Bool = false) throws(AMQPError) {
    guard channel.isOpen, tag.session == session else { return }
    var ack = amqp_basic_ack_t(delivery_tag: tag.number, multiple: multiple ? 1 : 0)
    try unsafe send(AMQP_BASIC_ACK_METHOD, &ack, "acknowledge a task")
  }

  /// Requeues a task that was not started (`basic.nack` with requeue), or all tasks delivered up to it.
  package mutating func requeue(_ tag: Delivery.Tag, multiple: Bool = false) throws(AMQPError) {
    guard channel.isOpen, tag.session == session else { return }
    var nack = amqp_basic_nack_t(delivery_tag: tag.number, multiple: multiple ? 1 : 0, requeue: 1)
    try unsafe send(AMQP_BASIC_NACK_METHOD, &nack, "requeue a task")
  }

  /// Requeues a task that failed, or tells the broker to drop it (`basic.reject`).
  package mutating func reject(_ tag: Delivery.Tag, requeue: Bool) throws(AMQPError) {
    guard channel.isOpen, tag.session == session else { return }
    var reject = amqp_basic_reject_t(delivery_tag: tag.number, requeue: requeue ? 1 : 0)
    try unsafe send(AMQP_BASIC_REJECT_METHOD, &reject, "reject a task")
  }

  /// Requests one waiting task (`basic.get`); the reply arrives as `got`.
  ///
  /// Several requests may be pending; the replies arrive in their order. The broker keeps the task until we
  /// acknowledge it.
  package mutating func ask(queue: String) throws(AMQPError) {
    try openChannel()
    var get = unsafe amqp_basic_get_t(ticket: 0, queue: try pool.name(queue), no_ack: 0)
    try unsafe send(AMQP_BASIC_GET_METHOD, &get, "get a task of queue '\(queue)'")
  }
}
