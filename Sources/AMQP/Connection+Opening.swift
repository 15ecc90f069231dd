internal import CRabbitMQ
internal import Glibc

/// From nothing to a logged-in connection.
extension Connection {
  static func open(_ address: Address, _ options: Options) throws(AMQPError) -> amqp_connection_state_t {
    let deadline = Deadline.after(options.connectTimeout)
    let state = unsafe try connect(address, by: deadline)
    unsafe ConnectionAttempt.begin(amqp_get_sockfd(state))
    do throws(AMQPError) {
      try unsafe logIn(state, address, options, by: deadline)
      ConnectionAttempt.end()
      var limit = timeval(options.rpcTimeout)
      unsafe amqp_set_rpc_timeout(state, &limit)
    } catch {
      ConnectionAttempt.end()
      unsafe amqp_destroy_connection(state)
      throw error
    }
    return unsafe state
  }

  /// A connection on which nothing has been said yet; of TLS, the handshake is done.
  static func connect(
    _ address: Address, by deadline: Deadline
  ) throws(AMQPError) -> amqp_connection_state_t {
    guard let state = unsafe amqp_new_connection() else {
      throw AMQPError(.protocolViolation, "connect", "out of memory")
    }
    do throws(AMQPError) {
      if let tls = address.tls {
        try unsafe connect(state, address, tls, by: deadline)
      } else {
        guard let socket = unsafe amqp_tcp_socket_new(state) else {
          throw AMQPError(.protocolViolation, "connect", "out of memory")
        }
        let descriptor = try Socket.connect(host: address.host, port: address.port, by: deadline)
        unsafe amqp_tcp_socket_set_sockfd(socket, descriptor)
      }
    } catch {
      unsafe amqp_destroy_connection(state)
      throw error
    }
    return unsafe state
  }

  /// What we tell the broker of ourselves.
  static func clientProperties(_ options: Options) -> FieldTable {
    [
      "product": .text("workq"),
      "connection_name": .text(options.name),
      // Without these the broker says nothing when it refuses a password, cancels a consumer or stops
      // reading.
      "capabilities": .table([
        "authentication_failure_close": .boolean(true), "consumer_cancel_notify": .boolean(true),
        "connection.blocked": .boolean(true), "basic.nack": .boolean(true),
        "publisher_confirms": .boolean(true),
      ]),
    ]
  }

  private static func logIn(
    _ state: amqp_connection_state_t, _ address: Address, _ options: Options, by deadline: Deadline
  ) throws(AMQPError) {
    var pool = Pool()
    var properties = unsafe pool.table(clientProperties(options))
    var limit = timeval(max(deadline.remaining ?? .seconds(3600), .milliseconds(1)))
    unsafe amqp_set_handshake_timeout(state, &limit)
    let heartbeat = Int32(clamping: options.heartbeat.wholeSeconds)
    let channelMax = Int32(address.channelMax ?? 0)
    let reply =
      switch address.mechanism {
      case .plain:
        unsafe crabbitmq_login_plain(
          state, address.vhost, channelMax, frameMax, heartbeat, &properties, address.username,
          address.password)
      case .external:
        // The library cannot send an empty identity; RabbitMQ looks at the certificate only.
        unsafe crabbitmq_login_external(
          state, address.vhost, channelMax, frameMax, heartbeat, &properties, address.username)
      }
    guard unsafe reply.reply_type != AMQP_RESPONSE_NORMAL else { return }
    let error = unsafe AMQPError(reply: reply, "log in")
    if unsafe reply.library_error == AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD.rawValue {
      let name = address.mechanism.rawValue.uppercased()
      throw AMQPError(.accessRefused, "log in", "the broker does not offer the \(name) log-in")
    }
    // A peer that hangs up or talks nonsense at this point is most likely no broker, or wants TLS.
    switch error.kind {
    case .lost where address.tls != nil:
      // With TLS 1.3 our certificate is judged when the handshake is over for us.
      let hasCertificate = address.tls?.certificateFile != nil
      if let refusal = Handshake.refusal("log in", hasCertificate: hasCertificate) { throw refusal }
      let wish = hasCertificate ? "not trust our certificate" : "want a certificate: see --cert and --key"
      throw AMQPError(.noBroker, "log in", "\(error.detail) after the TLS handshake; the broker may \(wish)")
    case .lost, .protocolViolation:
      throw AMQPError(.noBroker, "log in", error.detail)
    case .timedOut:
      throw AMQPError(.noBroker, "log in", "no answer in time")
    default: throw error
    }
  }

  private static func connect(
    _ state: amqp_connection_state_t, _ address: Address, _ tls: Address.TLS, by deadline: Deadline
  ) throws(AMQPError) {
    guard let socket = unsafe amqp_ssl_socket_new(state) else {
      throw AMQPError(.tls, "connect", "TLS could not be started")
    }
    guard let context = unsafe amqp_ssl_socket_get_context(socket) else {
      throw AMQPError(.tls, "connect", "TLS could not be started")
    }
    let handshake = unsafe try Handshake(OpaquePointer(context), address, tls)
    unsafe amqp_ssl_socket_set_verify_peer(socket, tls.verifiesPeer ? 1 : 0)
    unsafe amqp_ssl_socket_set_verify_hostname(socket, 0)  // knows no IP addresses; OpenSSL's does
    // The library looks names up without a deadline and says only "socket error": try the way first.
    let descriptor = try Socket.connect(host: address.host, port: address.port, by: deadline)
    let place = Socket.peerAddress(of: descriptor) ?? address.host
    Glibc.close(descriptor)
    var limit = timeval(max(deadline.remaining ?? .seconds(3600), .milliseconds(1)))
    handshake.begin()
    let status = unsafe amqp_socket_open_noblock(socket, place, Int32(address.port), &limit)
    handshake.end()
    guard status == AMQP_STATUS_OK.rawValue else { throw handshake.failure(status) }
  }
}

extension Duration {
  /// Rounded up, so that a heartbeat asked for is never turned off.
  var wholeSeconds: Int64 {
    components.seconds + (components.attoseconds > 0 ? 1 : 0)
  }
}

extension timeval {
  /// At most a day, because rabbitmq-c counts milliseconds in an int.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = min(duration, .seconds(86_400)).components
    self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
  }
}
