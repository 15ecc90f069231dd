internal import CRabbitMQ
internal import Glibc

/// A connection to a broker with one channel on it: the only owner of the C library's state.
///
/// 1. It is made connected and logged in, or not at all; every step has a deadline.
/// 2. `nextEvent(within:)` is its one reader; calls that ask the broker something leave what else came
///    in meanwhile for it.
/// 3. The channel is opened when first needed, and again after the broker closed it: `session` counts.
/// 4. A publisher's frames on a plain connection go through `outgoing`, so that no send waits.
/// 5. `close()` closes it in order (`connection.close`); `close(within:)` also waits until the broker has acted
///    on all that was sent. Going out of scope only hangs up. Either way the broker requeues what is
///    unacknowledged.
///
/// rabbitmq-c's rule shapes everything above it: "a given amqp_connection_state_t object should not be
/// used from more than one thread" (amqp.h), and heartbeats move only while one of its functions runs.
@safe
package struct Connection: ~Copyable {
  /// What a connection is asked to be like.
  package struct Options: Equatable, Sendable {
    /// The name that the broker shows for this connection.
    package var name = "workq"
    /// For one attempt, from the name look-up to the end of the log-in.
    package var connectTimeout = Duration.seconds(5)
    /// What we ask for, zero turning it off; the smaller of this and the broker's wish is used.
    package var heartbeat = Duration.seconds(30)
    /// For each question to the broker and each send.
    package var rpcTimeout = Duration.seconds(30)

    package init() {}
  }

  static let channel: amqp_channel_t = 1
  /// What RabbitMQ allows by default; larger bodies travel in pieces of this size less eight bytes.
  static let frameMax: Int32 = 131_072

  /// The version of rabbitmq-c that we run with.
  package static var libraryVersion: String { unsafe String(cString: amqp_version()) }

  package let address: Address
  let options: Options
  let state: amqp_connection_state_t
  /// The interval that both sides agreed on; nil when there are no heartbeats.
  package let heartbeat: Duration?
  /// The broker's product and version, as it calls them: "RabbitMQ 3.10.8".
  package internal(set) var broker = ""
  /// Whether the log-in is complete; an optimistic one is still going on at first.
  package internal(set) var isOpen: Bool
  let openBy: Deadline

  /// The number of the present channel session; 0 is none yet.
  package internal(set) var session = 0
  var channelIsOpen = false
  var channelConfirms = false
  /// Publish tags are counted from 1 in each session.
  var lastPublishTag: UInt64 = 0
  var pool = Pool()
  /// Frames whose memory the library has not got back; it looks through all its channels each time.
  private var unreleased = 0
  private static let mostUnreleased = 64
  var assembler = ContentAssembler()
  /// Read while a channel was opened, and not told yet.
  var heard: [Event] = []
  /// A publisher's frames that have not left, and its heartbeats: `nil` where the library sends.
  var direct: DirectSending?

  /// Connects and logs in.
  ///
  /// - Throws: `unresolvable`, `unreachable`, `noBroker`, `tls` or `accessRefused`.
  package init(to address: Address, _ options: Options) throws(AMQPError) {
    self.address = address
    self.options = options
    unsafe state = try Self.open(address, options)
    let seconds = unsafe amqp_get_heartbeat(state)
    heartbeat = seconds > 0 ? .seconds(Int(seconds)) : nil
    (isOpen, openBy) = (true, .never)
    if let properties = unsafe amqp_get_server_properties(state) {
      unsafe broker = FieldTable(properties.pointee).productAndVersion
    }
  }

  /// Connects, and sends what it takes to log in without waiting for any of the broker's answers.
  ///
  /// What is published next leaves by the same send, so that all is done in one round trip. The answers
  /// come by `nextEvent(within:)`: `isOpen` tells when they were good. Whatever else comes is worth an
  /// attempt step by step, which knows more about what went wrong.
  ///
  /// - Throws: `unresolvable` or `unreachable`, or `tls`, which cannot be hurried.
  package init(optimisticallyTo address: Address, _ options: Options) throws(AMQPError) {
    guard address.tls == nil else { throw AMQPError(.tls, "connect", "TLS goes step by step") }
    let deadline = Deadline.after(options.connectTimeout)
    let outgoing = try Self.optimisticLogIn(address, options)
    unsafe state = try Self.connect(address, by: deadline)
    self.address = address
    self.options = options
    openBy = deadline
    heartbeat = options.heartbeat > .zero ? .seconds(options.heartbeat.wholeSeconds) : nil
    isOpen = false
    direct = DirectSending(outgoing: outgoing, heartbeats: Heartbeats(every: heartbeat))
  }

  deinit {
    unsafe amqp_destroy_connection(state)
  }

  /// The socket, for poll(2).
  package var descriptor: Int32 { unsafe amqp_get_sockfd(state) }

  /// Says good-bye and hangs up, without waiting for the answer: the broker does the same work either
  /// way, and nothing that it could say would change ours.
  package consuming func close() {
    var close = unsafe amqp_connection_close_t()
    unsafe close.reply_code = UInt16(AMQP_REPLY_SUCCESS)
    unsafe try? send(AMQP_CONNECTION_CLOSE_METHOD, on: 0, &close, "close the connection")
    let socket = descriptor
    _ = direct?.outgoing.flush(to: socket)
  }

  /// Closes the connection and waits for the broker's answer (`connection.close-ok`), for `timeout` at most: the
  /// broker sends it after it has acted on every acknowledgement.
  ///
  /// Whoever hangs up at once with something still unread makes the kernel reset the connection, and the broker
  /// may drop what it has not read yet.
  package consuming func close(within timeout: Duration) {
    let deadline = Deadline.after(timeout)
    do throws(AMQPError) {
      var close = unsafe amqp_connection_close_t()
      unsafe close.reply_code = UInt16(AMQP_REPLY_SUCCESS)
      unsafe try send(AMQP_CONNECTION_CLOSE_METHOD, on: 0, &close, "close the connection")
      while let remaining = deadline.remaining, remaining > .zero { _ = try nextEvent(within: remaining) }
    } catch {
      // Closed, by the answer or by a broken connection: there is nothing more to be done.
    }
  }

  /// The next thing that the broker says.
  ///
  /// Also sends and checks heartbeats, so it must be called at least every third of `heartbeat`; and it
  /// must be called until it returns nil before a wait on `descriptor`, because the library holds
  /// frames that poll(2) cannot see.
  ///
  /// - Returns: nil when nothing came within `timeout`, which is not an error.
  /// - Throws: `lost`, or why the broker closed the connection. It is of no use afterwards.
  package mutating func nextEvent(within timeout: Duration) throws(AMQPError) -> Event? {
    heard.isEmpty ? try readEvent(within: timeout) : heard.removeFirst()
  }

  mutating func readEvent(within timeout: Duration) throws(AMQPError) -> Event? {
    let deadline = timeout == .zero ? nil : Deadline.after(timeout)
    while true {
      if direct != nil { try sendDirectly() }
      if unreleased >= Self.mostUnreleased { releaseBuffers() }
      var frame = unsafe amqp_frame_t()
      var wait = timeval(direct != nil ? .zero : deadline?.remaining ?? timeout)
      let status = unsafe amqp_simple_wait_frame_noblock(state, &frame, &wait)
      if status == AMQP_STATUS_TIMEOUT.rawValue {
        if unreleased > 0 { releaseBuffers() }
        direct?.heartbeats?.pause()
        guard direct != nil, let deadline, !deadline.hasPassed else { return nil }
        try waitDirectly(until: deadline)
        continue
      }
      guard status == AMQP_STATUS_OK.rawValue else { throw AMQPError(status: status, "read from the broker") }
      unreleased += unsafe frame.frame_type == UInt8(AMQP_FRAME_BODY) ? Self.mostUnreleased : 1
      direct?.heartbeats?.heard()
      if let event = try unsafe handle(frame) { return event }
    }
  }

  /// Gives the memory of frames back to the library; all that was in them has been copied.
  private mutating func releaseBuffers() {
    unsafe amqp_maybe_release_buffers(state)
    unreleased = 0
  }

  private mutating func handle(_ frame: amqp_frame_t) throws(AMQPError) -> Event? {
    switch Int32(unsafe frame.frame_type) {
    case AMQP_FRAME_METHOD:
      return try unsafe handle(frame.payload.method)
    case AMQP_FRAME_HEADER:
      let header = unsafe frame.payload.properties
      let properties = unsafe header.decoded.assumingMemoryBound(to: amqp_basic_properties_t.self)
      return try unsafe assembler.header(
        bodySize: header.body_size, Message.Properties(properties.pointee))
    case AMQP_FRAME_BODY:
      let fragment = unsafe frame.payload.body_fragment
      return try unsafe assembler.body(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
    case AMQP_FRAME_HEARTBEAT:
      return nil  // amqp_try_recv() queues them for us to drop
    default:
      throw AMQPError(.protocolViolation, "read from the broker", "it sent a frame of an unknown type")
    }
  }

  private mutating func handle(_ method: amqp_method_t) throws(AMQPError) -> Event? {
    switch try unsafe Incoming(method, session: session) {
    case .event(let event): return event
    case .content(let announcement):
      try assembler.begin(announcement)
      return nil
    case .cancelled(let consumer, let wantsAnswer):
      if wantsAnswer { try confirmCancel(consumer) }
      return .cancelled(consumer: consumer)
    case .channelClosed(let error):
      try channelWasClosed()
      return .channelClosed(error)
    case .connectionClosed(let error):
      var ok = amqp_connection_close_ok_t()
      try? send(AMQP_CONNECTION_CLOSE_OK_METHOD, on: 0, &ok, "confirm the close")
      throw error
    case .started(let properties):
      broker = properties.productAndVersion
      try brokerStarted()
      return nil
    case .opened:
      isOpen = true
      return nil
    case .closed:
      throw AMQPError(.lost, "use the connection", "it is closed")
    case .nothing: return nil
    }
  }
}
