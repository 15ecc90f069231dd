internal import CRabbitMQ
internal import Glibc

/// What a plain connection needs to send without the library.
struct DirectSending {
  var outgoing = Outgoing()
  var heartbeats: Heartbeats?
  /// When the kernel last took some of what it had not taken at first, or did not take it.
  var progress: Deadline?
  private var hasBacklog = false

  init(outgoing: Outgoing = Outgoing(), heartbeats: Heartbeats?) {
    self.outgoing = outgoing
    self.heartbeats = heartbeats
  }

  /// Hands the kernel what it takes, and notes how that goes on.
  mutating func flush(to socket: Int32) {
    let tookSome = outgoing.flush(to: socket)
    if tookSome { heartbeats?.sent() }
    if tookSome && hasBacklog || !outgoing.isEmpty && !hasBacklog { progress = .now }
    hasBacklog = !outgoing.isEmpty
  }
}

/// Sending past the library, for publishers on plain connections: see `Outgoing`.
extension Connection {
  /// From here on everything that we send goes through `Outgoing`, with heartbeats of ours.
  mutating func startSendingDirectly() {
    guard direct == nil, address.tls == nil else { return }
    unsafe amqp_tune_connection(state, amqp_get_channel_max(state), amqp_get_frame_max(state), 0)
    direct = DirectSending(heartbeats: Heartbeats(every: heartbeat))
  }

  /// Whether frames wait for the kernel to take them: then poll(2) is to wait for that, too.
  package var hasUnsent: Bool { direct?.outgoing.isEmpty == false }

  /// When the kernel last took a part of a long backlog; nil when there has been none.
  package var lastProgress: Deadline? { direct?.progress }

  /// Whether `nextEvent(within:)` may have something to tell without a look at the socket; with TLS, which
  /// has its own memory, that is never known.
  package var mayHoldEvents: Bool {
    if direct == nil || !heard.isEmpty { return true }
    return unsafe amqp_frames_enqueued(state) != 0 || amqp_data_in_buffer(state) != 0
  }

  /// Hands the kernel what it takes, without reading.
  package mutating func sendUnsent() {
    let socket = descriptor
    if hasUnsent { direct?.flush(to: socket) }
  }

  /// How often `nextEvent(within:)` must be called, if nothing else is due.
  package var careInterval: Duration? {
    let beat = heartbeat.map { $0 / 3 }
    guard !isOpen, let rest = openBy.remaining else { return beat }
    return min(beat ?? rest, rest)
  }

  /// Bytes that the kernel has not taken yet.
  package var unsentBytes: Int { direct?.outgoing.count ?? 0 }

  mutating func appendDirectly(
    _ id: amqp_method_number_t, on channel: amqp_channel_t, _ method: UnsafeMutableRawPointer,
    _ operation: String
  ) throws(AMQPError) {
    try unsafe direct?.outgoing.append(id, on: channel, method, operation)
  }

  /// Hands the kernel what it takes, and sees to the heartbeats.
  mutating func sendDirectly() throws(AMQPError) {
    guard isOpen || !openBy.hasPassed else {
      throw AMQPError(.noBroker, "log in", "no answer in time")
    }
    let looks = direct?.heartbeats?.isLookDue() == true
    if looks {
      direct?.heartbeats?.look()
      if direct?.heartbeats?.isDue == true, !hasUnsent { direct?.outgoing.appendHeartbeat() }
    }
    let socket = descriptor
    if hasUnsent { direct?.flush(to: socket) }
    guard looks, direct?.heartbeats?.isQuiet == true else { return }
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    if unsafe poll(&entry, 1, 0) > 0 { direct?.heartbeats?.heard() }
    guard direct?.heartbeats?.isLost != true else {
      throw AMQPError(status: AMQP_STATUS_HEARTBEAT_TIMEOUT.rawValue, "read from the broker")
    }
  }

  /// Waits until the broker says something, or the kernel takes more, or a heartbeat is due.
  ///
  /// - Throws: `lost` when the connection broke and nothing that the broker said is left to read.
  mutating func waitDirectly(until deadline: Deadline) throws(AMQPError) {
    if let failure = direct?.outgoing.failure, failure != 0 {
      throw AMQPError(.lost, "send to the broker", unsafe String(cString: strerror(failure)))
    }
    let events = Int16(hasUnsent ? POLLIN | POLLOUT : POLLIN)
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    let care = careInterval.map { Deadline.after($0) } ?? .never
    unsafe poll(&entry, 1, min(deadline, care).pollMilliseconds)
  }

  /// Sends everything that is left, because the library is to speak next.
  mutating func finishSending(_ operation: String) throws(AMQPError) {
    let deadline = Deadline.after(options.rpcTimeout)
    let socket = descriptor
    while hasUnsent {
      guard !deadline.hasPassed else {
        throw AMQPError(.timedOut, operation, "the broker does not read what we send")
      }
      if direct?.outgoing.flush(to: socket) == false { try waitToSend(until: deadline) }
    }
  }

  private func waitToSend(until deadline: Deadline) throws(AMQPError) {
    if let failure = direct?.outgoing.failure, failure != 0 {
      throw AMQPError(.lost, "send to the broker", unsafe String(cString: strerror(failure)))
    }
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    unsafe poll(&entry, 1, deadline.pollMilliseconds)
  }
}

// MARK: The optimistic log-in

extension Connection {
  /// Everything that a client says until it is logged in, as if it had been asked for.
  static func optimisticLogIn(_ address: Address, _ options: Options) throws(AMQPError) -> Outgoing {
    var outgoing = Outgoing()
    var pool = Pool()
    outgoing.append([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1])  // "AMQP", version 0-9-1
    let secret = [0] + Array(address.username.utf8) + [0] + Array(address.password.utf8)
    var start = unsafe amqp_connection_start_ok_t(
      client_properties: pool.table(clientProperties(options)), mechanism: pool.bytes("PLAIN"),
      response: pool.bytes(secret), locale: pool.bytes("en_US"))
    try unsafe outgoing.append(AMQP_CONNECTION_START_OK_METHOD, on: 0, &start, "log in")
    var tune = amqp_connection_tune_ok_t(
      channel_max: address.channelMax ?? channel, frame_max: UInt32(frameMax),
      heartbeat: UInt16(clamping: options.heartbeat.wholeSeconds))
    try unsafe outgoing.append(AMQP_CONNECTION_TUNE_OK_METHOD, on: 0, &tune, "log in")
    var open = unsafe amqp_connection_open_t(
      virtual_host: pool.bytes(address.vhost), capabilities: pool.bytes(""), insist: 0)
    try unsafe outgoing.append(AMQP_CONNECTION_OPEN_METHOD, on: 0, &open, "log in")
    return outgoing
  }

  /// The broker speaks AMQP: from here on the library may receive frames as large as we said.
  mutating func brokerStarted() throws(AMQPError) {
    let status = unsafe amqp_tune_connection(state, Int32(Self.channel), Self.frameMax, 0)
    guard status == AMQP_STATUS_OK.rawValue else { throw AMQPError(status: status, "log in") }
  }
}

extension FieldTable {
  /// Of a broker's properties, what people call it by.
  var productAndVersion: String {
    ["product", "version"].compactMap { self[$0]?.text }.joined(separator: " ").harmless
  }
}
