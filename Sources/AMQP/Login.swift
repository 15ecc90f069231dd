internal import CRabbitMQ

/// The log-in, from the protocol header to `connection.open-ok`, as a state machine without a socket.
///
/// Pipelined, everything is sent at once, without waiting for the broker's replies; otherwise step by step, so that
/// the broker's offers are respected. The replies are checked either way.
struct Login: ~Copyable {
  private enum Step {
    case start
    case tune
    case openOK
    case done
  }

  private let address: Address
  /// The connection's name at the broker.
  private let name: String
  private let isPipelined: Bool
  private var step = Step.start
  private var pool = Pool()
  /// The broker's product and version, as it reports them.
  private(set) var broker = ""
  /// The negotiated size of a frame, in bytes.
  private(set) var frameMax = Connection.frameMax
  /// The negotiated interval, in seconds; 0 means no heartbeats.
  private(set) var heartbeat: UInt16

  init(to address: Address, _ options: Connection.Options, isPipelined: Bool) {
    (self.address, name, self.isPipelined) = (address, options.name, isPipelined)
    let (seconds, rest) = (address.heartbeat ?? options.heartbeat).components
    // Rounded up, so that a short interval does not become 0 (off).
    heartbeat = UInt16(clamping: seconds + (rest > 0 ? 1 : 0))
  }

  var isDone: Bool { step == .done }

  /// Writes what comes before the broker's first reply.
  mutating func begin(_ writer: inout FrameWriter) throws(AMQPError) {
    writer.append([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1])  // "AMQP", version 0-9-1
    guard isPipelined else { return }
    try startOK(&writer)
    try tuneOKAndOpen(&writer)
  }

  /// Handles one of the broker's methods, and writes the reply.
  ///
  /// - Returns: whether it was part of a log-in.
  /// - Throws: `accessRefused` when the broker does not offer the address's mechanism; `protocolViolation` for a
  ///   reply out of order.
  mutating func handle(_ method: amqp_method_t, _ writer: inout FrameWriter) throws(AMQPError) -> Bool {
    switch (unsafe method.id, step) {
    case (AMQP_CONNECTION_START_METHOD, .start):
      step = .tune
      try unsafe started(method.decoded(as: amqp_connection_start_t.self))
      if !isPipelined { try startOK(&writer) }
    case (AMQP_CONNECTION_TUNE_METHOD, .tune):
      step = .openOK
      guard !isPipelined else { return true }
      tuned(unsafe method.decoded(as: amqp_connection_tune_t.self))
      try tuneOKAndOpen(&writer)
    case (AMQP_CONNECTION_OPEN_OK_METHOD, .openOK): step = .done
    case (AMQP_CONNECTION_START_METHOD, _), (AMQP_CONNECTION_TUNE_METHOD, _),
      (AMQP_CONNECTION_OPEN_OK_METHOD, _), (AMQP_CONNECTION_SECURE_METHOD, _):
      throw AMQPError(.protocolViolation, "log in", "the broker sent an answer of the log-in out of turn")
    default: return false
    }
    return true
  }

  private mutating func started(_ start: amqp_connection_start_t) throws(AMQPError) {
    guard unsafe (start.version_major, start.version_minor) == (0, 9) else { throw Self.otherProtocol }
    let properties = unsafe FieldTable(start.server_properties)
    broker = ["product", "version"].compactMap { properties[$0]?.text }.joined(separator: " ").sanitized
    let mechanism = address.mechanism.rawValue.uppercased()
    guard unsafe start.mechanisms.text.split(separator: " ").contains(mechanism[...]) else {
      throw AMQPError(.accessRefused, "log in", "the broker does not offer the \(mechanism) log-in")
    }
  }

  /// The lower of the broker's limit and ours; 0 means no limit.
  private mutating func tuned(_ tune: amqp_connection_tune_t) {
    if tune.frame_max > 0 { frameMax = min(frameMax, Int(tune.frame_max)) }
    if tune.heartbeat > 0 { heartbeat = min(heartbeat, tune.heartbeat) }
  }

  private mutating func startOK(_ writer: inout FrameWriter) throws(AMQPError) {
    defer { pool.recycle() }
    let response =
      switch address.mechanism {
      case .plain: [0] + Array(address.username.utf8) + [0] + Array(address.password.utf8)
      case .external: Array(address.username.utf8)
      }
    var start = unsafe amqp_connection_start_ok_t(
      client_properties: pool.table(clientProperties),
      mechanism: pool.bytes(address.mechanism.rawValue.uppercased()),
      response: pool.bytes(response), locale: pool.bytes("en_US"))
    try unsafe writer.append(AMQP_CONNECTION_START_OK_METHOD, on: 0, &start, "log in")
  }

  private mutating func tuneOKAndOpen(_ writer: inout FrameWriter) throws(AMQPError) {
    defer { pool.recycle() }
    var tune = amqp_connection_tune_ok_t(
      channel_max: address.channelMax ?? Channel.number, frame_max: UInt32(frameMax), heartbeat: heartbeat
    )
    try unsafe writer.append(AMQP_CONNECTION_TUNE_OK_METHOD, on: 0, &tune, "log in")
    var open = unsafe amqp_connection_open_t(
      virtual_host: pool.bytes(address.vhost), capabilities: pool.bytes(""), insist: 0)
    try unsafe writer.append(AMQP_CONNECTION_OPEN_METHOD, on: 0, &open, "log in")
  }

  /// The client properties that the broker shows.
  private var clientProperties: FieldTable {
    [
      "product": .text("workq"),
      "connection_name": .text(name),
      // Without these capabilities the broker sends nothing when it refuses a password, cancels a consumer or blocks
      // the connection.
      "capabilities": .table([
        "authentication_failure_close": .boolean(true), "consumer_cancel_notify": .boolean(true),
        "connection.blocked": .boolean(true), "basic.nack": .boolean(true),
        "publisher_confirms": .boolean(true),
      ]),
    ]
  }

  static var otherProtocol: AMQPError {
    AMQPError(.noBroker, "log in", "what answers there speaks another protocol than AMQP 0-9-1")
  }
}
