internal import CRabbitMQ
internal import Glibc

/// A connection to a broker, with one channel.
///
/// 1. `nextEvent(within:)` continues what `start` begins, without blocking; `isOpen` is true when the log-in is
///    complete.
/// 2. `nextEvent(within:)` is the only reader; a request keeps other events that arrive meanwhile for it.
/// 3. The channel is opened at its first use, and again after the broker has closed it; `session` counts this.
/// 4. Everything is sent through `writer`, when the socket accepts it: no send blocks.
/// 5. No call waits past its deadline, or past `Interruption.request`.
/// 6. `close()` sends `connection.close`; `close(within:)` also waits until the broker has acted on everything that
///    was sent. Deinitialization only closes the socket. In both cases the broker requeues unacknowledged tasks.
package struct Connection: ~Copyable {
  /// How to open and use a connection.
  package struct Options: Equatable, Sendable {
    /// The name that the broker shows for this connection.
    package var name = "workq"
    /// Time limit of one attempt, from the name look-up to the end of the log-in.
    package var connectTimeout = Duration.seconds(5)
    /// Our interval, zero to turn heartbeats off; the lower of this and the broker's value is used.
    package var heartbeat = Duration.seconds(30)
    /// Time limit of each request.
    package var rpcTimeout = Duration.seconds(30)

    package init() {}
  }

  /// RabbitMQ's default for the maximum size of a frame, in bytes.
  ///
  /// Larger bodies are split into pieces of this size less eight bytes.
  static let frameMax = 131_072

  /// The version of rabbitmq-c at run time.
  package static var libraryVersion: String { unsafe String(cString: amqp_version()) }

  package let address: Address
  let rpcTimeout: Duration
  private let openBy: Deadline
  private var transport: Transport
  private var reader = FrameReader()
  var login: Login
  var writer = FrameWriter()
  /// With the interval that both sides agreed on; nil without heartbeats.
  var heartbeats: Heartbeats?
  /// When the transport last accepted a part of a backlog, or a backlog began; nil when there has been none.
  package private(set) var lastProgress: Deadline?
  private var hasBacklog = false

  var channel = Channel()
  var pool = Pool()
  var assembler = ContentAssembler()
  /// Number of replies to `sendDeclare` that are pending on the present channel.
  var pendingDeclarations = 0
  /// Events that arrived during a request.
  var pendingEvents: ArraySlice<Event> = []

  // MARK: Opening

  /// Connects and logs in.
  ///
  /// - Throws: `unresolvable`, `unreachable`, `tls`, `badFile`, `noBroker` or `accessRefused`; `interrupted`.
  package static func open(_ address: Address, _ options: Options) throws(AMQPError) -> Connection {
    try open(firstOf: [address], options)
  }

  /// Starts to connect and to log in; `nextEvent(within:)` continues that.
  ///
  /// With `isPipelined`, the log-in is sent without waiting for the broker's replies, and the first messages follow in
  /// the same write: everything takes one round trip. If that fails, an attempt step by step gives a more precise
  /// error.
  ///
  /// The address's own parameters override the options, which apply to all addresses.
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

  /// Continues the log-in as far as possible without blocking.
  ///
  /// - Throws: why it failed.
  mutating func advanceLogin() throws(AMQPError) {
    while !isOpen, let event = try readEvent() { pendingEvents.append(event) }
  }

  /// The number of the present channel session; 0 before the first.
  package var session: Int { channel.session }
  /// Whether the log-in is complete.
  package var isOpen: Bool { login.isDone }
  /// Whether the peer has accepted the connection.
  package var isConnected: Bool { transport.isOpen }
  /// Whether the log-in has timed out.
  package var hasMissedLogin: Bool { !isOpen && openBy.hasPassed }
  /// The broker's product and version, as it reports them: "RabbitMQ 3.10.8"; empty before.
  package var broker: String { login.broker }
  /// Maximum size of a frame that the broker accepts, in bytes.
  var frameMax: Int { login.frameMax }

  // MARK: Closing

  /// Closes the connection, and waits up to `timeout` for the broker's reply (`connection.close-ok`).
  ///
  /// The connection cannot be used afterwards. The broker replies after it has acted on every acknowledgement, and
  /// does the same work if nobody waits. With `isInterruptible`, signals end the wait as they end a request.
  ///
  /// If the socket is closed with data unread, the kernel resets the connection, and the broker may drop what it has
  /// not read yet.
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
      // Closed by the reply or by an error: there is nothing more to do.
    }
    transport.announceEnd()
  }

  // MARK: Reading

  /// The next event.
  ///
  /// Also sends and checks heartbeats, so it must be called at `nextService` at the latest. Before a wait on
  /// `descriptor`, call it until it returns nil: poll(2) does not see data that was already read from the socket.
  ///
  /// - Returns: nil when no event arrived within `timeout`, which is not an error.
  /// - Throws: `lost`, or why the broker closed the connection, which cannot be used afterwards; `interrupted`.
  package mutating func nextEvent(within timeout: Duration) throws(AMQPError) -> Event? {
    if let event = pendingEvents.popFirst() {
      sendHeartbeat()
      if pendingEvents.isEmpty { pendingEvents = [] }  // frees the bodies of the events taken out
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

  /// Whether `nextEvent(within:)` may return an event without reading the socket.
  package var hasBufferedEvents: Bool {
    mutating get { !pendingEvents.isEmpty || reader.holdsInput || transport.holdsInput }
  }

  /// The next event in the data that has arrived.
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

  /// The next frame in the data that has arrived; unsent data is sent before the socket is read.
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
        // Data from the broker is read first: it may say why the broker does not read any more.
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

  /// Before the log-in is complete, a bad reply most likely means that the peer is no broker, or expects TLS.
  private func loginFailure(_ error: AMQPError) -> AMQPError {
    guard transport.isOpen else { return error }
    switch error.kind {
    case .lost where address.tls != nil:
      // In TLS 1.3, the broker checks our certificate after our side has completed the handshake.
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

  // Properties that a loop reads in each turn have mutating getters: others work on a copy, which is large.

  /// The socket, for poll(2).
  package var descriptor: Int32 { mutating get { transport.descriptor } }

  /// Whether the socket has not accepted everything yet.
  package var hasUnsent: Bool { mutating get { !writer.isEmpty || transport.holdsOutput } }

  /// Whether to wait until `descriptor` is writable, too.
  package var waitsForWriting: Bool { mutating get { transport.waitsForWriting ?? hasUnsent } }

  /// Number of bytes that the socket has not accepted yet.
  package var unsentBytes: Int { mutating get { writer.count } }

  /// When `nextEvent(within:)` must be called at the latest.
  package var nextService: Deadline {
    mutating get {
      let check = heartbeats?.nextCheck ?? .never
      return isOpen ? check : min(check, openBy, transport.nextDeadline)
    }
  }

  /// Sends a heartbeat if one is due, and unsent data, without reading.
  package mutating func sendHeartbeat() {
    if isOpen, heartbeats?.isDue == true, !hasUnsent { writer.appendHeartbeat() }
    sendUnsent()
  }

  /// Sends what the socket accepts, without reading.
  package mutating func sendUnsent() {
    guard hasUnsent else { return }
    let tookSome = writer.flush(to: &transport)
    if tookSome { heartbeats?.sent() }
    if tookSome && hasBacklog || hasUnsent && !hasBacklog { lastProgress = .now }
    hasBacklog = hasUnsent
  }

  /// Waits until data arrives, the socket accepts more, or a heartbeat is due.
  ///
  /// - Returns: false when `deadline` has passed.
  /// - Throws: `interrupted`.
  @discardableResult
  mutating func wait(
    until deadline: Deadline, orInterrupt interrupt: Int32, _ operation: String
  ) throws(AMQPError) -> Bool {
    let events = waitsForWriting ? POLLIN | POLLOUT : POLLIN
    let isReady = try Interruption.wait(
      for: descriptor, events, orInterrupt: interrupt, until: min(deadline, nextService), operation)
    return isReady || !deadline.hasPassed
  }
}
