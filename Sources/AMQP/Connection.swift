internal import CRabbitMQ
internal import Glibc
internal import Synchronization

/// Sessions are counted over all connections of the process, so that no two have the same number.
private let sessions = Atomic<Int>(0)

/// A connection to a broker with one channel on it.
///
/// 1. It is made connected. `isOpen` tells whether the log-in is complete: pipelined, it goes on for a while.
/// 2. `nextEvent(within:)` is its one reader; a request leaves other events that arrive meanwhile to it.
/// 3. The channel is opened when first needed, and again after the broker closed it: `session` counts.
/// 4. Everything that is sent goes through `writer`, and leaves when the socket takes it: no send blocks.
/// 5. No call waits past its deadline, or past `Interruption.request`.
/// 6. `close()` closes it in order (`connection.close`); `close(within:)` also waits until the broker has acted
///    on all that was sent. Going out of scope closes the socket only. Either way the broker requeues what is
///    unacknowledged.
package struct Connection: ~Copyable {
  /// What a connection is asked to be like.
  package struct Options: Equatable, Sendable {
    /// The name that the broker shows for this connection.
    package var name = "workq"
    /// For one attempt, from the name look-up to the end of the log-in.
    package var connectTimeout = Duration.seconds(5)
    /// What we ask for, zero turning it off; the smaller of this and the broker's wish is used.
    package var heartbeat = Duration.seconds(30)
    /// For each request.
    package var rpcTimeout = Duration.seconds(30)

    package init() {}
  }

  static let channel: amqp_channel_t = 1
  /// The size of a frame that RabbitMQ allows by default, in bytes.
  ///
  /// Larger bodies travel in pieces of this size less eight bytes.
  static let frameMax = 131_072

  /// The version of rabbitmq-c that we run with.
  package static var libraryVersion: String { unsafe String(cString: amqp_version()) }

  package let address: Address
  let options: Options
  private var transport: Transport
  private var reader = FrameReader()
  private var login: Login
  private let openBy: Deadline
  var writer = FrameWriter()
  private var heartbeats: Heartbeats?
  /// The interval that both sides agreed on; nil when there are no heartbeats.
  private var heartbeat: Duration?
  /// When the transport last took a part of a backlog, or left one; nil when there has been none.
  package private(set) var lastProgress: Deadline?
  private var hasBacklog = false

  /// The number of the present channel session; 0 is none yet.
  package private(set) var session = 0
  private(set) var channelIsOpen = false
  private var channelConfirms = false
  /// Publish tags are counted from 1 in each session.
  private var lastPublishTag: UInt64 = 0
  var pool = Pool()
  private var assembler = ContentAssembler()
  /// Events that arrived while a request was waited for.
  private var pendingEvents = Fifo<Event>()

  // MARK: Opening

  /// Connects and logs in.
  ///
  /// - Throws: `unresolvable`, `unreachable`, `noBroker`, `tls` or `accessRefused`; `interrupted`.
  package static func open(_ address: Address, _ options: Options) throws(AMQPError) -> Connection {
    var connection = try Self.begin(address, options, .stepByStep)
    try connection.finishLogin()
    return connection
  }

  /// Connects, and sends what it takes to log in without waiting for any of the broker's answers.
  ///
  /// What is published next leaves by the same write, so that all is done in one round trip. The answers
  /// arrive by `nextEvent(within:)`: `isOpen` tells when they were good. Any other answer is worth an
  /// attempt step by step, which finds out more about what went wrong.
  ///
  /// - Throws: `unresolvable`, `unreachable` or `tls`; `interrupted`.
  package static func openPipelined(_ address: Address, _ options: Options) throws(AMQPError) -> Connection {
    try begin(address, options, .pipelined)
  }

  private static func begin(
    _ address: Address, _ options: Options, _ pace: Login.Pace
  ) throws(AMQPError) -> Connection {
    let deadline = Deadline.after(options.connectTimeout)
    let transport = try Transport(to: address, by: deadline)
    var connection = Connection(
      address: address, options: options, transport: transport, login: Login(to: address, options, pace),
      openBy: deadline)
    connection.tuneHeartbeats()
    try connection.login.begin(&connection.writer)
    return connection
  }

  private init(
    address: Address, options: Options, transport: consuming Transport, login: consuming Login,
    openBy: Deadline
  ) {
    (self.address, self.options, self.openBy) = (address, options, openBy)
    self.transport = transport
    self.login = login
  }

  /// Waits until the log-in is complete.
  ///
  /// - Throws: what `open(_:_:)` throws.
  package mutating func finishLogin() throws(AMQPError) {
    while !isOpen {
      if let event = try readEvent() {
        pendingEvents.append(event)
      } else if !isOpen {
        try wait(until: openBy, orInterrupt: Interruption.attempt, "log in")
      }
    }
  }

  private mutating func tuneHeartbeats() {
    heartbeat = login.heartbeat > 0 ? .seconds(Int(login.heartbeat)) : nil
    heartbeats = Heartbeats(every: heartbeat)
  }

  /// Whether the log-in is complete.
  package var isOpen: Bool { login.isDone }
  /// Whether the broker has not completed the log-in in time.
  package var hasMissedLogin: Bool { !isOpen && openBy.hasPassed }
  /// The broker's product and version, as it calls them: "RabbitMQ 3.10.8"; empty until it has said so.
  package var broker: String { login.broker }
  /// The size of a frame that the broker accepts, in bytes.
  var frameMax: Int { login.frameMax }

  // MARK: Closing

  /// Closes the connection without waiting for the answer: the broker does the same work either
  /// way, and nothing that it could answer would change ours.
  package consuming func close() {
    sendClose()
    transport.announceEnd()
  }

  /// Closes the connection and waits for the broker's answer (`connection.close-ok`), for `timeout` at most.
  ///
  /// The broker sends it after it has acted on every acknowledgement. Unless told otherwise, signals end the wait as
  /// they end a request.
  ///
  /// Whoever closes the socket at once with something still unread makes the kernel reset the connection, and the
  /// broker may drop what it has not read yet.
  package consuming func close(within timeout: Duration, isInterruptible: Bool = true) {
    let deadline = Deadline.after(timeout)
    let interrupt = isInterruptible ? Interruption.request : -1
    do throws(AMQPError) {
      sendClose()
      while !deadline.hasPassed {
        while try readEvent() != nil {}
        try wait(until: deadline, orInterrupt: interrupt, "close the connection")
      }
    } catch {
      // Closed, by the answer or by a broken connection: there is nothing more to be done.
    }
    transport.announceEnd()
  }

  private mutating func sendClose() {
    var close = unsafe amqp_connection_close_t()
    unsafe close.reply_code = UInt16(AMQP_REPLY_SUCCESS)
    unsafe try? send(AMQP_CONNECTION_CLOSE_METHOD, on: 0, &close, "close the connection")
    sendUnsent()
  }

  // MARK: Reading

  /// The next event.
  ///
  /// Also sends and checks heartbeats, so it must be called at least once in each `careInterval`; and it
  /// must be called until it returns nil before a wait on `descriptor`, because poll(2) does not see what has
  /// been read from the socket.
  ///
  /// - Returns: nil when nothing arrived within `timeout`, which is not an error.
  /// - Throws: `lost`, or why the broker closed the connection. It is of no use afterwards. `interrupted`.
  package mutating func nextEvent(within timeout: Duration) throws(AMQPError) -> Event? {
    if let event = pendingEvents.popFirst() { return event }
    if let event = try readEvent() { return event }
    guard timeout > .zero else { return nil }
    let deadline = Deadline.after(timeout)
    while try wait(until: deadline, orInterrupt: Interruption.request, "read from the broker") {
      if let event = try readEvent() { return event }
    }
    return try readEvent()
  }

  /// Whether `nextEvent(within:)` may return an event without a look at the socket.
  package var mayHoldEvents: Bool { !pendingEvents.isEmpty || reader.holdsInput || transport.holdsInput }

  /// The next event among what has arrived.
  private mutating func readEvent() throws(AMQPError) -> Event? {
    do throws(AMQPError) {
      while let frame = try unsafe nextFrame() {
        if let event = try unsafe handle(frame) { return event }
      }
      return nil
    } catch {
      throw isOpen ? error : loginFailure(error)
    }
  }

  /// The next frame among what has arrived; before the socket is read, what is to be sent is sent.
  private mutating func nextFrame() throws(AMQPError) -> amqp_frame_t? {
    if let frame = try unsafe reader.next() { return unsafe frame }
    if heartbeats?.isDue == true, !hasUnsent { writer.appendHeartbeat() }
    sendUnsent()
    while true {
      switch reader.fill(from: &transport) {
      case .done:
        heartbeats?.received()
        if let frame = try unsafe reader.next() { return unsafe frame }
      case .end: throw AMQPError(.lost, "read from the broker", "the other side closed the connection")
      case .failed(let error): throw error
      case .blocked:
        // What the broker has said comes first: it may say why it does not read any more.
        if let failure = writer.failure { throw failure }
        if heartbeats?.isLost == true {
          throw AMQPError(.lost, "read from the broker", "nothing came from the broker for two heartbeats")
        }
        if hasMissedLogin { throw AMQPError(.timedOut, "log in", "no answer in time") }
        return nil
      }
    }
  }

  /// What answers badly before the log-in is complete is most likely no broker, or wants TLS.
  private func loginFailure(_ error: AMQPError) -> AMQPError {
    switch error.kind {
    case .lost where address.tls != nil:
      // With TLS 1.3 our certificate is judged when the handshake is over for us.
      if let refusal = transport.refusal("log in") { return refusal }
      let hasCertificate = address.tls?.certificateFile != nil
      let wish = hasCertificate ? "not trust our certificate" : "want a certificate: see --cert and --key"
      return AMQPError(.noBroker, "log in", "\(error.detail) after the TLS handshake; the broker may \(wish)")
    case .lost, .protocolViolation, .timedOut: return AMQPError(.noBroker, "log in", error.detail)
    default: return AMQPError(error.kind, "log in", error.detail)
    }
  }

  private mutating func handle(_ frame: amqp_frame_t) throws(AMQPError) -> Event? {
    switch Int32(unsafe frame.frame_type) {
    case AMQP_FRAME_METHOD:
      let method = unsafe frame.payload.method
      if !isOpen, try unsafe login.handle(method, &writer) {
        if heartbeat != .seconds(Int(login.heartbeat)) { tuneHeartbeats() }
        return nil
      }
      return try unsafe handle(method)
    case AMQP_FRAME_HEADER:
      let header = unsafe frame.payload.properties
      let properties = unsafe header.decoded.assumingMemoryBound(to: amqp_basic_properties_t.self)
      return try unsafe assembler.header(
        bodySize: header.body_size, Message.Properties(properties.pointee))
    case AMQP_FRAME_BODY:
      let fragment = unsafe frame.payload.body_fragment
      return try unsafe assembler.body(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
    case AMQP_FRAME_HEARTBEAT: return nil
    case Int32(UInt8(ascii: "A")): throw Login.otherProtocol  // the library's mark for a protocol header
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
      sendUnsent()
      throw error
    case .closed:
      throw AMQPError(.lost, "use the connection", "it is closed")
    case .nothing: return nil
    }
  }

  // MARK: Requests

  /// Sends a method on the channel and waits for its answer; other events are kept in their order.
  ///
  /// `id` is the method, and `method` the library's structure for it; `answer` is the method that answers it, whose
  /// structure is given to `read`. An error says that `operation`, a phrase, failed.
  ///
  /// - Returns: what `read` returns.
  /// - Throws: why the broker closed the channel or the connection over it; `timedOut` after `rpcTimeout`;
  ///   `interrupted`. After the last two, the connection is of no use.
  mutating func request<Method, Answer, Value>(
    _ id: amqp_method_number_t, _ method: inout Method, answer: amqp_method_number_t, _: Answer.Type,
    _ operation: String, _ read: (Answer) -> Value
  ) throws(AMQPError) -> Value {
    let deadline = Deadline.after(options.rpcTimeout)
    try openChannel()
    try send(id, on: Self.channel, &method, operation)
    do throws(AMQPError) {
      while true {
        while let frame = try unsafe nextFrame() {
          if unsafe frame.frame_type == UInt8(AMQP_FRAME_METHOD) && frame.payload.method.id == answer {
            return read(unsafe frame.payload.method.decoded.assumingMemoryBound(to: Answer.self).pointee)
          }
          guard let event = try unsafe handle(frame) else { continue }
          if case .channelClosed(let error) = event { throw error }
          pendingEvents.append(event)
        }
        guard try wait(until: deadline, orInterrupt: Interruption.request, operation) else {
          let reason = !hasUnsent ? "no answer in time" : "the broker does not read what we send"
          throw AMQPError(.timedOut, operation, reason)
        }
      }
    } catch {
      throw AMQPError(error.kind, operation, error.detail)
    }
  }

  // MARK: Waiting

  /// The socket, for poll(2).
  package var descriptor: Int32 { transport.descriptor }

  /// Whether bytes wait for the socket to take them.
  package var hasUnsent: Bool { !writer.isEmpty || transport.holdsOutput }

  /// Bytes that the socket has not taken yet.
  package var unsentBytes: Int { writer.count }

  /// How often `nextEvent(within:)` must be called, if nothing else is due.
  package var careInterval: Duration? {
    let beat = heartbeat.map { $0 / 3 }
    guard !isOpen, let rest = openBy.remaining else { return beat }
    return min(beat ?? rest, rest)
  }

  /// Writes what the socket takes, without reading.
  package mutating func sendUnsent() {
    guard hasUnsent else { return }
    let tookSome = writer.flush(to: &transport)
    if tookSome { heartbeats?.sent() }
    if tookSome && hasBacklog || hasUnsent && !hasBacklog { lastProgress = .now }
    hasBacklog = hasUnsent
  }

  /// Waits until the broker says something, or the socket takes more, or a heartbeat is due.
  ///
  /// - Returns: false when `deadline` has passed.
  /// - Throws: `interrupted`.
  @discardableResult
  private func wait(
    until deadline: Deadline, orInterrupt interrupt: Int32, _ operation: String
  ) throws(AMQPError) -> Bool {
    let care = careInterval.map { Deadline.after($0) } ?? .never
    let events = hasUnsent ? POLLIN | POLLOUT : POLLIN
    let isReady = try Interruption.wait(
      for: descriptor, events, orInterrupt: interrupt, until: min(deadline, care), operation)
    return isReady || !deadline.hasPassed
  }

  // MARK: The channel

  /// Opens the channel if it is not open, without waiting for the broker's answer: what follows may be
  /// sent at once, and a refusal arrives as an event or error like any other.
  mutating func openChannel() throws(AMQPError) {
    guard !channelIsOpen else { return }
    // An event of the session before would be taken for this one's. What was returned without a confirm to
    // follow carries no number that could be mistaken, and is reported nowhere else.
    _ = pendingEvents.remove {
      switch $0 {
      case .returned: channelConfirms
      case .blocked, .unblocked: false
      default: true
      }
    }
    assembler = ContentAssembler()
    var open = unsafe amqp_channel_open_t()
    try unsafe send(AMQP_CHANNEL_OPEN_METHOD, on: Self.channel, &open, "open a channel")
    channelIsOpen = true
    channelConfirms = false
    session = sessions.wrappingAdd(1, ordering: .relaxed).newValue
  }

  /// Closes the channel (`channel.close`), and waits until the broker has done so.
  ///
  /// The broker requeues all that is unacknowledged on it, in order. The next use of the channel opens it again.
  package mutating func closeChannel() throws(AMQPError) {
    guard channelIsOpen else { return }
    defer { pool.recycle() }
    var close = unsafe amqp_channel_close_t(
      reply_code: UInt16(AMQP_REPLY_SUCCESS), reply_text: pool.bytes(""), class_id: 0, method_id: 0)
    try unsafe request(
      AMQP_CHANNEL_CLOSE_METHOD, &close, answer: AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t.self,
      "close the channel"
    ) { _ in }
    channelIsOpen = false
  }

  /// Makes the channel a publisher's (`confirm.select`), if it is none yet.
  mutating func selectConfirms() throws(AMQPError) {
    guard !channelConfirms else { return }
    var select = amqp_confirm_select_t(nowait: 1)
    try send(AMQP_CONFIRM_SELECT_METHOD, on: Self.channel, &select, "ask for confirms")
    channelConfirms = true
    lastPublishTag = 0
  }

  /// The tag of the message that was just published.
  mutating func countPublish() -> UInt64 {
    lastPublishTag += 1
    return lastPublishTag
  }

  /// Answers a `channel.close`; the next use of the channel opens it again.
  private mutating func channelWasClosed() throws(AMQPError) {
    channelIsOpen = false
    var ok = amqp_channel_close_ok_t()
    try send(AMQP_CHANNEL_CLOSE_OK_METHOD, on: Self.channel, &ok, "confirm the channel's close")
  }

  private mutating func confirmCancel(_ consumer: String) throws(AMQPError) {
    defer { pool.recycle() }
    var ok = unsafe amqp_basic_cancel_ok_t(consumer_tag: pool.bytes(consumer))
    try unsafe send(AMQP_BASIC_CANCEL_OK_METHOD, on: Self.channel, &ok, "confirm the cancel")
  }

  /// Appends one method to what is sent next.
  mutating func send<Method>(
    _ id: amqp_method_number_t, on channel: amqp_channel_t, _ method: inout Method, _ operation: String
  ) throws(AMQPError) {
    try unsafe withUnsafeMutablePointer(to: &method) { method throws(AMQPError) in
      try unsafe writer.append(id, on: channel, method, operation)
    }
  }
}
