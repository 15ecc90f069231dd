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
    let reply = unsafe crabbitmq_login_plain(
      state, address.vhost, Int32(address.channelMax ?? 0), frameMax, heartbeat, &properties,
      address.username, address.password)
    guard unsafe reply.reply_type != AMQP_RESPONSE_NORMAL else { return }
    let error = unsafe AMQPError(reply: reply, "log in")
    // A peer that hangs up or talks nonsense at this point is most likely no broker, or wants TLS.
    switch error.kind {
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
    let caFile = tls.caFile ?? "/etc/ssl/certs/ca-certificates.crt"
    if tls.verifiesPeer {
      guard unsafe amqp_ssl_socket_set_cacert(socket, caFile) == AMQP_STATUS_OK.rawValue else {
        throw AMQPError(.tls, "connect", "the authorities' certificates cannot be read from '\(caFile)'")
      }
    }
    if let certificate = tls.certificateFile, let key = tls.keyFile {
      guard unsafe amqp_ssl_socket_set_key(socket, certificate, key) == AMQP_STATUS_OK.rawValue else {
        throw AMQPError(.tls, "connect", "'\(certificate)' and '\(key)' are no certificate and its key")
      }
    }
    unsafe amqp_ssl_socket_set_verify_peer(socket, tls.verifiesPeer ? 1 : 0)
    unsafe amqp_ssl_socket_set_verify_hostname(socket, tls.verifiesPeer ? 1 : 0)
    unsafe amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
    // The library looks names up without a deadline and says only "socket error": try the way first.
    Glibc.close(try Socket.connect(host: address.host, port: address.port, by: deadline))
    var limit = timeval(max(deadline.remaining ?? .seconds(3600), .milliseconds(1)))
    let status = unsafe amqp_socket_open_noblock(socket, address.host, Int32(address.port), &limit)
    guard status == AMQP_STATUS_OK.rawValue else { throw AMQPError(status: status, "connect") }
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
