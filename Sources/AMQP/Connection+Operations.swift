internal import CRabbitMQ

/// The operations of the protocol.
///
/// Those that declare, look up, purge, delete, bind, consume or cancel wait for the broker's answer. The others
/// only append to what is sent next, by the next `nextEvent(within:)` or `sendUnsent()`.
extension Connection {
  // MARK: Queues

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

  /// Declares a queue (`queue.declare`), or finds that it exists with just these properties.
  ///
  /// - Throws: `preconditionFailed` when it exists with others.
  package mutating func declare(_ queue: Queue) throws(AMQPError) -> Queue.Status {
    try declare(queue, isPassive: false, "declare queue '\(queue.name)'")
  }

  /// Declares a durable queue of this name if there is none; one that exists is left as it is.
  package mutating func ensure(queue name: String) throws(AMQPError) {
    do throws(AMQPError) {
      _ = try declare(Queue(name: name))
    } catch  where error.kind == .preconditionFailed {
      // Someone declared it in the meantime, and differently.
    }
  }

  private mutating func declare(
    _ queue: Queue, isPassive: Bool, _ operation: String
  ) throws(AMQPError) -> Queue.Status {
    try AMQPError.checkLength(queue.name, "the queue's name")
    defer { pool.recycle() }
    var declare = unsafe amqp_queue_declare_t(
      ticket: 0, queue: pool.bytes(queue.name), passive: isPassive ? 1 : 0, durable: queue.isDurable ? 1 : 0,
      exclusive: 0, auto_delete: queue.isAutoDelete ? 1 : 0, nowait: 0, arguments: pool.table(queue.arguments)
    )
    return try unsafe request(
      AMQP_QUEUE_DECLARE_METHOD, &declare, answer: AMQP_QUEUE_DECLARE_OK_METHOD, amqp_queue_declare_ok_t.self,
      operation
    ) {
      unsafe Queue.Status(name: $0.queue.text, waiting: $0.message_count, consumers: $0.consumer_count)
    }
  }

  /// Removes the waiting tasks of a queue (`queue.purge`); those that workers hold are not waiting.
  ///
  /// - Returns: how many there were.
  package mutating func purge(queue name: String) throws(AMQPError) -> UInt32 {
    try AMQPError.checkLength(name, "the queue's name")
    defer { pool.recycle() }
    var purge = unsafe amqp_queue_purge_t(ticket: 0, queue: pool.bytes(name), nowait: 0)
    return try unsafe request(
      AMQP_QUEUE_PURGE_METHOD, &purge, answer: AMQP_QUEUE_PURGE_OK_METHOD, amqp_queue_purge_ok_t.self,
      "purge queue '\(name)'"
    ) { $0.message_count }
  }

  /// Removes a queue and the tasks in it (`queue.delete`), those that workers hold among them.
  ///
  /// - Returns: how many tasks waited in it; a missing queue is none.
  /// - Throws: `preconditionFailed` when it is in use, or not empty, and that was a condition;
  ///   `unsupported` when its type knows no such condition.
  package mutating func delete(
    queue name: String, ifUnused: Bool = false, ifEmpty: Bool = false
  ) throws(AMQPError) -> UInt32 {
    try AMQPError.checkLength(name, "the queue's name")
    defer { pool.recycle() }
    var delete = unsafe amqp_queue_delete_t(
      ticket: 0, queue: pool.bytes(name), if_unused: ifUnused ? 1 : 0, if_empty: ifEmpty ? 1 : 0, nowait: 0)
    return try unsafe request(
      AMQP_QUEUE_DELETE_METHOD, &delete, answer: AMQP_QUEUE_DELETE_OK_METHOD, amqp_queue_delete_ok_t.self,
      "delete queue '\(name)'"
    ) { $0.message_count }
  }

  /// Has an exchange route messages with this key to a queue (`queue.bind`).
  package mutating func bind(
    queue name: String, exchange: String, routingKey: String
  ) throws(AMQPError) {
    try AMQPError.checkLength(name, "the queue's name")
    try AMQPError.checkLength(exchange, "the exchange's name")
    try AMQPError.checkLength(routingKey, "the routing key")
    defer { pool.recycle() }
    var bind = unsafe amqp_queue_bind_t(
      ticket: 0, queue: pool.bytes(name), exchange: pool.bytes(exchange), routing_key: pool.bytes(routingKey),
      nowait: 0, arguments: pool.table([:]))
    try unsafe request(
      AMQP_QUEUE_BIND_METHOD, &bind, answer: AMQP_QUEUE_BIND_OK_METHOD, amqp_queue_bind_ok_t.self,
      "bind queue '\(name)' to exchange '\(exchange)'"
    ) { _ in }
  }

  // MARK: Publishing

  /// Sends a message (`basic.publish`, mandatory) and asks for its confirm.
  ///
  /// With `leavesHeadroom` the headers must leave room in their frame for what the broker adds.
  ///
  /// - Returns: the tag that its confirm will carry. Tags count from 1 in each channel session.
  /// - Throws: `tooLarge` before anything is sent.
  package mutating func publish(
    _ message: Message, exchange: String = "", routingKey: String, confirms: Bool = true,
    leavesHeadroom: Bool = false
  ) throws(AMQPError) -> UInt64 {
    try AMQPError.checkLength(exchange, "the exchange's name")
    try AMQPError.checkLength(routingKey, "the routing key")
    try message.properties.checkLengths()
    if leavesHeadroom { try message.properties.checkSize(frameMax: frameMax) }
    try openChannel()
    if confirms { try selectConfirms() }
    defer { pool.recycle() }
    var properties = unsafe pool.properties(message.properties)
    var method = unsafe amqp_basic_publish_t(
      ticket: 0, exchange: pool.bytes(exchange), routing_key: pool.bytes(routingKey), mandatory: 1,
      immediate: 0)
    try unsafe writer.append(&method, &properties, message.body, on: Self.channel, frameMax: frameMax)
    return countPublish()
  }

  /// Requests something that changes nothing for a publisher (`basic.qos`): the answer comes when all that was
  /// sent before has been read, or why it was not.
  package mutating func waitUntilRead() throws(AMQPError) {
    try setPrefetch(0, "publish")
  }

  // MARK: Consuming

  /// Starts to receive a queue's tasks (`basic.qos`, `basic.consume`); they arrive as events.
  ///
  /// - Parameters:
  ///   - queue: whose tasks.
  ///   - consumer: the consumer's tag, as the broker shows it.
  ///   - prefetch: how many unacknowledged tasks the broker may have handed us; 0 is no limit.
  ///   - acknowledges: whether a task stays the broker's until we acknowledge it.
  ///   - arguments: the consumer's arguments (`x-consumer-timeout`); a broker ignores those it does not know.
  /// - Throws: `notFound`, `locked`, or what ends a connection.
  package mutating func consume(
    queue: String, consumer: String, prefetch: UInt16, acknowledges: Bool, arguments: FieldTable = [:]
  ) throws(AMQPError) {
    let operation = "consume from queue '\(queue)'"
    try AMQPError.checkLength(queue, "the queue's name")
    try setPrefetch(prefetch, operation)
    defer { pool.recycle() }
    var consume = unsafe amqp_basic_consume_t(
      ticket: 0, queue: pool.bytes(queue), consumer_tag: pool.bytes(consumer), no_local: 0,
      no_ack: acknowledges ? 0 : 1, exclusive: 0, nowait: 0, arguments: pool.table(arguments))
    try unsafe request(
      AMQP_BASIC_CONSUME_METHOD, &consume, answer: AMQP_BASIC_CONSUME_OK_METHOD, amqp_basic_consume_ok_t.self,
      operation
    ) { _ in }
  }

  private mutating func setPrefetch(_ count: UInt16, _ operation: String) throws(AMQPError) {
    var qos = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: count, global: 0)
    try request(
      AMQP_BASIC_QOS_METHOD, &qos, answer: AMQP_BASIC_QOS_OK_METHOD, amqp_basic_qos_ok_t.self, operation
    ) { _ in }
  }

  /// Stops receiving (`basic.cancel`); deliveries already in flight still arrive as events.
  package mutating func cancel(consumer: String) throws(AMQPError) {
    guard channelIsOpen else { return }
    defer { pool.recycle() }
    var cancel = unsafe amqp_basic_cancel_t(consumer_tag: pool.bytes(consumer), nowait: 0)
    try unsafe request(
      AMQP_BASIC_CANCEL_METHOD, &cancel, answer: AMQP_BASIC_CANCEL_OK_METHOD, amqp_basic_cancel_ok_t.self,
      "stop consuming"
    ) { _ in }
  }

  /// Removes a consumer that the broker has cancelled already (`basic.cancel`, without an answer).
  ///
  /// RabbitMQ 4.3 keeps the consumer's tag otherwise. With unacknowledged deliveries left, that broker closes
  /// the channel when the first of them times out.
  package mutating func forget(consumer: String) throws(AMQPError) {
    guard channelIsOpen else { return }
    defer { pool.recycle() }
    var cancel = unsafe amqp_basic_cancel_t(consumer_tag: pool.bytes(consumer), nowait: 1)
    try unsafe send(AMQP_BASIC_CANCEL_METHOD, on: Self.channel, &cancel, "stop consuming")
  }

  /// Tells the broker that a task is done (`basic.ack`), or all delivered up to it.
  ///
  /// A tag of an earlier session is dropped: the broker has already redelivered that task.
  package mutating func acknowledge(_ tag: Delivery.Tag, multiple: Bool = false) throws(AMQPError) {
    guard channelIsOpen, tag.session == session else { return }
    var ack = amqp_basic_ack_t(delivery_tag: tag.number, multiple: multiple ? 1 : 0)
    try send(AMQP_BASIC_ACK_METHOD, on: Self.channel, &ack, "acknowledge a task")
  }

  /// Requeues a task that was not started (`basic.nack` with requeue), or all delivered up to it.
  package mutating func handBack(_ tag: Delivery.Tag, multiple: Bool = false) throws(AMQPError) {
    guard channelIsOpen, tag.session == session else { return }
    var nack = amqp_basic_nack_t(delivery_tag: tag.number, multiple: multiple ? 1 : 0, requeue: 1)
    try send(AMQP_BASIC_NACK_METHOD, on: Self.channel, &nack, "requeue a task")
  }

  /// Requeues a task that failed, or has the broker drop it (`basic.reject`).
  package mutating func reject(_ tag: Delivery.Tag, requeue: Bool) throws(AMQPError) {
    guard channelIsOpen, tag.session == session else { return }
    var reject = amqp_basic_reject_t(delivery_tag: tag.number, requeue: requeue ? 1 : 0)
    try send(AMQP_BASIC_REJECT_METHOD, on: Self.channel, &reject, "reject a task")
  }

  /// Asks for one waiting task (`basic.get`); the answer arrives as `got`.
  ///
  /// Several may be asked for one after the other; the answers come in that order. The task stays the
  /// broker's until we acknowledge it.
  package mutating func ask(queue: String) throws(AMQPError) {
    try AMQPError.checkLength(queue, "the queue's name")
    try openChannel()
    defer { pool.recycle() }
    var get = unsafe amqp_basic_get_t(ticket: 0, queue: pool.bytes(queue), no_ack: 0)
    try unsafe send(AMQP_BASIC_GET_METHOD, on: Self.channel, &get, "get a task of queue '\(queue)'")
  }
}
