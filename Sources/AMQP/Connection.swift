internal import CRabbitMQ
internal import Glibc

/// A connection to a broker with one channel on it.
///
/// 1. From `start` on, `nextEvent(within:)` opens it, without blocking: `isOpen` tells when the log-in is complete.
/// 2. `nextEvent(within:)` is its one reader; a request leaves other events that arrive meanwhile to it.
/// 3. The channel is opened when first needed, and again after the broker closed it: `session` counts.
/// 4. Everything that is sent goes through `writer`, and leaves when the socket takes it: no send blocks.
/// 5. No call waits past its deadline, or past `Interruption.request`.
/// 6. `close()` closes it in order (`connection.close`); `close(within:)` also waits until the broker has
///    acted on all that was sent. Going out of scope closes the socket only. Either way the broker requeues
///    what is unacknowledged.
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

  /// The size of a frame that RabbitMQ allows by default, in bytes.
  ///
  /// Larger bodies travel in pieces of this size less eight bytes.
  static let frameMax = 131_072

  /// The version of rabbitmq-c that we run with.
  package static var libraryVersion: String { unsafe String(cString: amqp_version()) }

  package let address: Address
  let rpcTimeout: Duration
  private let openBy: Deadline
  private var transport: Transport
  private var reader = FrameReader()
  var login: Login
  var writer = FrameWriter()
  /// By the interval that both sides agreed on; nil when there are none.
  var heartbeats: Heartbeats?
  /// When the transport last took a part of a backlog, or left one; nil when there has been none.
  package private(set) var lastProgress: Deadline?
  private var hasBacklog = false

  var channel = Channel()
  var pool = Pool()
  var assembler = ContentAssembler()
  /// How many answers to `sendDeclare` are to come on the present channel.
  var pendingDeclarations = 0
  /// Events that arrived while a request was waited for.
  var pendingEvents: ArraySlice<Event> = []

  // MARK: Opening

  /// Connects and logs in.
  ///
  /// - Throws: `unresolvable`, `unreachable`, `tls`, `badFile`, `noBroker` or `accessRefused`; `interrupted`.
  package static func open(_ address: Address, _ options: Options) throws(AMQPError) -> Connection {
    try open(firstOf: [address], options)
  }

  /// Begins to connect and to log in; `nextEvent(within:)` goes on with it.
  ///
  /// Pipelined, what it takes to log in is sent without waiting for any of the broker's answers. What is
  /// published next leaves by the same write, so that all is done in one round trip. When that fails, an attempt step
  /// by step finds out more about what went wrong.
  ///
  /// What the address says of itself goes before the options, which hold for all addresses.
  ///
  /// - Throws: `tls` or `badFile`.
  package static func start(
    _ address: Address, _ options: Options, isPipelined: Bool = false
  ) throws(AMQPError) -> Connection {
    let openBy = Deadline.after(address.connectTimeout ?? options.connectTimeout)
    let login = Login(to: address, options, isPipelined: isPipelined)
    let transport = try Transport(to: address, by: openBy)
    var connection = Connection(address, options, transport, login, openBy: openBy)
    try connection.login.begin(&connection.writer)
    connection.sendUnsent()
    return connection
  }

  private init(
    _ address: Address, _ options: Options, _ transport: consuming Transport, _ login: consuming Login,
    openBy: Deadline
  ) {
    (self.address, rpcTimeout, self.openBy) = (address, options.rpcTimeout, openBy)
    heartbeats = Heartbeats(every: login.heartbeat)
    self.transport = transport
    self.login = login
  }

  /// Goes on with the log-in as far as possible.
  ///
  /// - Throws: why it failed.
  mutating func advanceLogin() throws(AMQPError) {
    while !isOpen, let event = try readEvent() { pendingEvents.append(event) }
  }

  /// The number of the present channel session; 0 is none yet.
  package var session: Int { channel.session }
  /// Whether the log-in is complete.
  package var isOpen: Bool { login.isDone }
  /// Whether the other side has accepted the connection.
  package var isConnected: Bool { transport.isOpen }
  /// Whether the broker has not completed the log-in in time.
  package var hasMissedLogin: Bool { !isOpen && openBy.hasPassed }
  /// The broker's product and version, as it calls them: "RabbitMQ 3.10.8"; empty until it has said so.
  package var broker: String { login.broker }
  /// The size of a frame that the broker accepts, in bytes.
  var frameMax: Int { login.frameMax }

  // MARK: Closing

  /// Closes the connection, and waits for the broker's answer (`connection.close-ok`), for `timeout` at most.
  ///
  /// It is of no use afterwards. The broker answers after it has acted on every acknowledgement, and does the same work
  /// if nobody waits. Unless told otherwise, signals end the wait as they end a request.
  ///
  /// Whoever closes the socket at once with something still unread makes the kernel reset the connection, and
  /// the broker may drop what it has not read yet.
  package mutating func close(within timeout: Duration = .zero, isInterruptible: Bool = true) {
    let deadline = Deadline.after(timeout)
    let interrupt = isInterruptible ? Interruption.request : -1
    do throws(AMQPError) {
      var close = unsafe amqp_connection_close_t()
      unsafe close.reply_code = UInt16(AMQP_REPLY_SUCCESS)
      try unsafe writer.append(AMQP_CONNECTION_CLOSE_METHOD, on: 0, &close, "close the connection")
      sendUnsent()
      while !deadline.hasPassed {
        while try readEvent() != nil {}
        try wait(until: deadline, orInterrupt: interrupt, "close the connection")
      }
    } catch {
      // Closed, by the answer or by a broken connection: there is nothing more to be done.
    }
    transport.announceEnd()
  }

  // MARK: Reading

  /// The next event.
  ///
  /// Also sends and checks heartbeats, so it must be called at least once in each `serviceInterval`; and it
  /// must be called until it returns nil before a wait on `descriptor`, because poll(2) does not see what has
  /// been read from the socket.
  ///
  /// - Returns: nil when nothing arrived within `timeout`, which is not an error.
  /// - Throws: `lost`, or why the broker closed the connection. It is of no use afterwards. `interrupted`.
  package mutating func nextEvent(within timeout: Duration) throws(AMQPError) -> Event? {
    if let event = pendingEvents.popFirst() {
      sendHeartbeat()
      if pendingEvents.isEmpty { pendingEvents = [] }  // which frees the bodies of those taken out
      return event
    }
    if let event = try readEvent() { return event }
    guard timeout > .zero else { return nil }
    let deadline = Deadline.after(timeout)
    while try wait(until: deadline, orInterrupt: Interruption.request, "read from the broker") {
      if let event = try readEvent() { return event }
    }
    return try readEvent()
  }

  /// Whether `nextEvent(within:)` may return an event without a look at the socket.
  package var hasBufferedEvents: Bool {
    mutating get { !pendingEvents.isEmpty || reader.holdsInput || transport.holdsInput }
  }

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
  mutating func nextFrame() throws(AMQPError) -> amqp_frame_t? {
    if let frame = try unsafe reader.next() { return unsafe frame }
    sendHeartbeat()
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
        if isOpen, heartbeats?.isLost == true {
          throw AMQPError(
            .lost, "read from the broker", "nothing came from the broker for two heartbeats")
        }
        if hasMissedLogin { throw AMQPError(.timedOut, "log in", "no answer in time") }
        return nil
      }
    }
  }

  /// What answers badly before the log-in is complete is most likely no broker, or wants TLS.
  private func loginFailure(_ error: AMQPError) -> AMQPError {
    guard transport.isOpen else { return error }
    switch error.kind {
    case .lost where address.tls != nil:
      // With TLS 1.3 our certificate is judged when the handshake is over for us.
      if let refusal = transport.refusal("log in") { return refusal }
      let hasCertificate = address.tls?.certificateFile != nil
      let wish =
        hasCertificate
        ? "not trust the client certificate" : "require a client certificate: see --cert and --key"
      return AMQPError(.noBroker, "log in", "\(error.detail) after the TLS handshake; the broker may \(wish)")
    case .lost, .protocolViolation, .timedOut: return AMQPError(.noBroker, "log in", error.detail)
    default: return AMQPError(error.kind, "log in", error.detail)
    }
  }

  // MARK: Waiting

  // What a loop asks in each turn is asked of the connection in place: a getter that does not mutate is given a copy,
  // and there is much to copy.

  /// The socket, for poll(2).
  package var descriptor: Int32 { mutating get { transport.descriptor } }

  /// Whether bytes wait for the socket to take them.
  package var hasUnsent: Bool { mutating get { !writer.isEmpty || transport.holdsOutput } }

  /// Whether to wait until `descriptor` is writable, too.
  package var waitsForWriting: Bool { mutating get { transport.waitsForWriting ?? hasUnsent } }

  /// Bytes that the socket has not taken yet.
  package var unsentBytes: Int { mutating get { writer.count } }

  /// How often `nextEvent(within:)` must be called, if nothing else is due.
  package var serviceInterval: Duration? {
    mutating get {
      let beat = heartbeats.map { $0.interval / 3 }
      guard !isOpen, let rest = min(openBy, transport.nextDeadline).remaining else { return beat }
      return min(beat ?? rest, rest)
    }
  }

  /// Sends a heartbeat if one is due, and what waits to be sent, without reading.
  package mutating func sendHeartbeat() {
    if isOpen, heartbeats?.isDue == true, !hasUnsent { writer.appendHeartbeat() }
    sendUnsent()
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
  mutating func wait(
    until deadline: Deadline, orInterrupt interrupt: Int32, _ operation: String
  ) throws(AMQPError) -> Bool {
    let care = serviceInterval.map { Deadline.after($0) } ?? .never
    let events = waitsForWriting ? POLLIN | POLLOUT : POLLIN
    let isReady = try Interruption.wait(
      for: descriptor, events, orInterrupt: interrupt, until: min(deadline, care), operation)
    return isReady || !deadline.hasPassed
  }
}
