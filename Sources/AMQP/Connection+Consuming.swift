internal import CRabbitMQ

extension Connection {
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
    try checkLength(queue, "the queue's name")
    try prepareToAsk(operation)
    defer { pool.recycle() }
    unsafe amqp_basic_qos(state, Self.channel, 0, prefetch, 0)
    try unsafe check(amqp_get_rpc_reply(state), operation)
    unsafe amqp_basic_consume(
      state, Self.channel, pool.bytes(queue), pool.bytes(consumer), 0, acknowledges ? 0 : 1, 0,
      pool.table(arguments))
    try unsafe check(amqp_get_rpc_reply(state), operation)
    startSendingDirectly()
  }

  /// Stops receiving (`basic.cancel`); deliveries already on their way still come as events.
  package mutating func cancel(consumer: String) throws(AMQPError) {
    guard channelIsOpen else { return }
    try prepareToAsk("stop consuming")
    defer { pool.recycle() }
    unsafe amqp_basic_cancel(state, Self.channel, pool.bytes(consumer))
    try unsafe check(amqp_get_rpc_reply(state), "stop consuming")
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
  /// A tag of an earlier session is dropped: the broker has already given that task to someone else. On a
  /// plain connection this and its kin leave with the next `nextEvent(within:)`, together with others.
  package mutating func acknowledge(_ tag: Delivery.Tag, multiple: Bool = false) throws(AMQPError) {
    guard channelIsOpen, tag.session == session else { return }
    var ack = amqp_basic_ack_t(delivery_tag: tag.number, multiple: multiple ? 1 : 0)
    try send(AMQP_BASIC_ACK_METHOD, on: Self.channel, &ack, "acknowledge a task")
  }

  /// Gives a task back that was not started (`basic.nack` with requeue), or all delivered up to it.
  package mutating func handBack(_ tag: Delivery.Tag, multiple: Bool = false) throws(AMQPError) {
    guard channelIsOpen, tag.session == session else { return }
    var nack = amqp_basic_nack_t(delivery_tag: tag.number, multiple: multiple ? 1 : 0, requeue: 1)
    try send(AMQP_BASIC_NACK_METHOD, on: Self.channel, &nack, "hand a task back")
  }

  /// Gives a task back that failed, or has the broker drop it (`basic.reject`).
  package mutating func reject(_ tag: Delivery.Tag, requeue: Bool) throws(AMQPError) {
    guard channelIsOpen, tag.session == session else { return }
    var reject = amqp_basic_reject_t(delivery_tag: tag.number, requeue: requeue ? 1 : 0)
    try send(AMQP_BASIC_REJECT_METHOD, on: Self.channel, &reject, "reject a task")
  }

  /// Gives back all that this session was handed and has not acknowledged, in one go: so each comes back to
  /// its place in the queue, in order.
  package mutating func handBackAll() throws(AMQPError) {
    guard channelIsOpen else { return }
    try sending("hand tasks back") { unsafe amqp_basic_nack(state, Self.channel, 0, 1, 1) }
  }

  /// Asks for one waiting task (`basic.get`) and does not wait for the answer, which comes as `got`.
  ///
  /// Several may be asked for one after the other; the answers come in that order. The task stays the
  /// broker's until we acknowledge it.
  package mutating func ask(queue: String) throws(AMQPError) {
    try checkLength(queue, "the queue's name")
    try openChannel()
    defer { pool.recycle() }
    var get = unsafe amqp_basic_get_t(ticket: 0, queue: pool.bytes(queue), no_ack: 0)
    try unsafe send(AMQP_BASIC_GET_METHOD, on: Self.channel, &get, "get a task of queue '\(queue)'")
  }
}
