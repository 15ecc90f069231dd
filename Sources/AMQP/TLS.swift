internal import COpenSSL
internal import Glibc

/// TLS for one connection, by OpenSSL on our own socket: certificates, and the reasons of failures.
///
/// 1. No call blocks, and no write raises SIGPIPE. OpenSSL writes to memory, and we send from there: OpenSSL cannot
///    answer a KeyUpdate while one of its own writes is incomplete.
/// 2. TLS 1.2 or later, without renegotiation and session resumption.
/// 3. The URL's host name or IP address is verified, or the server name that was given instead.
@safe
final class TLS {
  private let settings: Address.TLS
  /// The name or IP address that the certificate must have; a name is also sent as SNI.
  private let serverName: String
  private let context: OpaquePointer
  private let session: OpaquePointer
  private var descriptor: Int32 = -1
  /// OpenSSL's output, and the part of it that was taken out to be sent.
  private let written: OpaquePointer
  private var output: ArraySlice<UInt8> = []
  /// What is wrong with the broker's certificate.
  private var problem: String?
  /// OpenSSL's code for the last failure; 0 means none.
  private var failureCode: UInt = 0

  /// Loads the files and prepares a handshake.
  ///
  /// - Throws: `badFile` when a file that TLS needs is unusable; `tls` when there is no name to verify.
  init(for address: Address, _ settings: Address.TLS) throws(AMQPError) {
    self.settings = settings
    serverName = settings.serverName ?? address.host
    guard let context = unsafe SSL_CTX_new(TLS_client_method()), let session = unsafe SSL_new(context),
      let written = unsafe BIO_new(BIO_s_mem())
    else { throw Self.outOfMemory }
    unsafe (self.context, self.session, self.written) = (context, session, written)
    unsafe SSL_set0_wbio(session, written)
    try configure()
  }

  deinit {
    unsafe SSL_free(session)
    unsafe SSL_CTX_free(context)
  }

  // MARK: Settings

  private func configure() throws(AMQPError) {
    unsafe SSL_set_options(session, UInt64(1) << 30)  // SSL_OP_NO_RENEGOTIATION
    let lowest = Int(TLS1_2_VERSION)
    if unsafe SSL_ctrl(session, SSL_CTRL_GET_MIN_PROTO_VERSION, 0, nil) < lowest {
      unsafe SSL_ctrl(session, SSL_CTRL_SET_MIN_PROTO_VERSION, lowest, nil)
    }
    unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
    unsafe SSL_ctrl(session, SSL_CTRL_SET_READ_AHEAD, 1, nil)
    let parameters = unsafe SSL_get0_param(session)
    let name = String(serverName.prefix { $0 != "%" })  // fe80::1%eth0
    let isIPAddress = unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1
    if !isIPAddress {
      // RFC 6066: SNI must not be an IP address.
      _ = unsafe serverName.withCString {
        unsafe SSL_ctrl(
          session, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
          UnsafeMutableRawPointer(mutating: $0))
      }
    }
    try useCertificate()
    guard settings.verifiesPeer else { return }
    if !isIPAddress {
      unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
      // Without a name OpenSSL would accept any certificate.
      guard !serverName.isEmpty, unsafe X509_VERIFY_PARAM_set1_host(parameters, serverName, 0) == 1 else {
        throw AMQPError(
          .tls, "connect", "there is no name that the broker's certificate could be verified for")
      }
    }
    unsafe SSL_set_verify(session, SSL_VERIFY_PEER, nil)
    // The context, and with it the callback, does not outlive this object.
    unsafe SSL_CTX_set_cert_verify_callback(
      context,
      { store, owner in
        guard let store = unsafe store, let owner = unsafe owner else { return 0 }
        return unsafe Unmanaged<TLS>.fromOpaque(owner).takeUnretainedValue().verifies(store) ? 1 : 0
      }, Unmanaged.passUnretained(self).toOpaque())
    try trustAuthorities()
  }

  /// Loads the CA certificates: from the file, or the system's, which SSL_CERT_FILE and SSL_CERT_DIR replace.
  private func trustAuthorities() throws(AMQPError) {
    guard let file = settings.caFile else {
      unsafe SSL_CTX_set_default_verify_paths(context)
      return
    }
    try file.checkReadable()
    guard unsafe SSL_CTX_load_verify_locations(context, file.cString, nil) == 1 else {
      throw AMQPError(.badFile, "connect", "'\(file)' contains no CA certificates (PEM)")
    }
  }

  /// Loads the client certificate and its key, if given.
  private func useCertificate() throws(AMQPError) {
    guard let certificate = settings.certificateFile, let key = settings.keyFile else { return }
    try certificate.checkReadable()
    try key.checkReadable()
    guard unsafe SSL_use_certificate_chain_file(session, certificate.cString) == 1 else {
      throw AMQPError(.badFile, "connect", "'\(certificate)' holds no certificate (PEM)")
    }
    // Otherwise OpenSSL would ask for a pass phrase at the terminal, which cron does not have.
    unsafe SSL_set_default_passwd_cb(session) { _, _, _, wasAsked in
      unsafe wasAsked?.assumingMemoryBound(to: Bool.self).pointee = true
      return 0
    }
    var isEncrypted = false
    ERR_clear_error()
    let isLoaded = unsafe withUnsafeMutablePointer(to: &isEncrypted) { pointer in
      unsafe SSL_set_default_passwd_cb_userdata(session, pointer)
      defer { unsafe SSL_set_default_passwd_cb_userdata(session, nil) }
      return unsafe SSL_use_PrivateKey_file(session, key.cString, SSL_FILETYPE_PEM) == 1
    }
    guard !isLoaded else { return }
    let code = ERR_peek_last_error()
    let isOthers = ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH
    let reason =
      isEncrypted
      ? "is encrypted, and nobody is asked for the pass phrase; 'openssl pkey' decrypts it"
      : isOthers ? "is not the key of '\(certificate)'" : "holds no key (PEM)"
    throw AMQPError(.badFile, "connect", "'\(key)' \(reason)")
  }

  // MARK: The handshake

  /// Begins the handshake on a connected socket, which the caller keeps and closes.
  func beginHandshake(on descriptor: Int32) throws(AMQPError) {
    guard let socket = unsafe BIO_new_socket(descriptor, BIO_NOCLOSE) else {
      throw Self.outOfMemory
    }
    unsafe SSL_set0_rbio(session, socket)
    unsafe SSL_set_connect_state(session)
    self.descriptor = descriptor
  }

  /// Continues the handshake, until `deadline` at the latest.
  ///
  /// - Returns: whether it is complete.
  /// - Throws: `tls` when verification fails on either side; `noBroker`.
  func handshake(by deadline: Deadline) throws(AMQPError) -> Bool {
    switch perform("connect", { unsafe SSL_do_handshake(session) }) {
    case .done: return true
    case .blocked where !deadline.hasPassed: return false
    case .blocked: throw AMQPError(.noBroker, "connect", "the TLS handshake had no answer in time")
    case .end, .failed:
      if let problem { throw AMQPError(.tls, "connect", problem) }
      throw refusal("connect")
        ?? AMQPError(
          .noBroker, "connect", "the peer closed the connection during the TLS handshake")
    }
  }

  private static var outOfMemory: AMQPError { AMQPError(.shortage, "connect", "no memory is left for TLS") }

  // MARK: Bytes

  /// Whether OpenSSL has decrypted bytes that were not read yet.
  var holdsInput: Bool { unsafe SSL_has_pending(session) == 1 }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Transport.Result {
    perform("read from the broker") {
      unsafe SSL_read(session, buffer.baseAddress, Int32(clamping: buffer.count))
    }
  }

  /// Encrypts the first of the bytes, once everything that was encrypted before is sent.
  func write(_ bytes: UnsafeRawBufferPointer) -> Transport.Result {
    if case .failed(let error) = flush() { return .failed(error) }
    guard !holdsOutput else { return .blocked }
    return perform("send to the broker") {
      unsafe SSL_write(session, bytes.baseAddress, Int32(min(bytes.count, Self.largestWrite)))
    }
  }

  /// Several TLS records, so that one send(2) sends them all.
  private static let largestWrite = 65_536

  /// Whether encrypted bytes are not sent yet.
  var holdsOutput: Bool { unsafe !output.isEmpty || BIO_ctrl_pending(written) > 0 }

  /// Sends as many encrypted bytes as the socket accepts.
  ///
  /// - Returns: how many bytes were sent.
  func flush() -> Transport.Result {
    var sent = 0
    while true {
      if output.isEmpty {
        let count = Int(unsafe BIO_ctrl_pending(written))
        guard count > 0 else { return .done(sent) }
        output = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
          filled = Int(max(0, unsafe BIO_read(written, buffer.baseAddress, Int32(count))))
        }[...]
      }
      let result = unsafe output.withUnsafeBytes { unsafe Transport.send($0, to: descriptor) }
      guard case .done(let count) = result else { return result == .blocked ? .done(sent) : result }
      output = output.dropFirst(count)
      sent += count
    }
  }

  /// Sends close_notify, if the socket accepts it.
  func announceEnd() {
    ERR_clear_error()
    unsafe SSL_shutdown(session)
    _ = flush()
  }

  /// Runs an OpenSSL function, and sends its output.
  private func perform(_ operation: String, _ call: () -> Int32) -> Transport.Result {
    ERR_clear_error()
    let count = call()
    let reason = unsafe SSL_get_error(session, count)
    if count <= 0 && reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_ZERO_RETURN {
      failureCode = ERR_peek_error()
    }
    let flushed = flush()
    guard count <= 0 else {
      if case .failed = flushed { return flushed }
      return .done(Int(count))
    }
    switch reason {
    case SSL_ERROR_WANT_READ: return .blocked
    case SSL_ERROR_ZERO_RETURN: return .end
    default:
      // An end without close_notify is accepted: the frames tell whether the data is complete.
      let isEnd = failureCode == 0 || ERR_GET_REASON(failureCode) == SSL_R_UNEXPECTED_EOF_WHILE_READING
      return isEnd ? .end : .failed(AMQPError(.lost, operation, "TLS failed: \(Self.reason(failureCode))"))
    }
  }

  // MARK: Reasons

  /// Why the peer refused TLS; nil when the last failure was something else.
  func refusal(_ operation: String) -> AMQPError? {
    let (code, hasCertificate) = (failureCode, settings.certificateFile != nil)
    guard code != 0, ERR_GET_LIB(code) == ERR_LIB_SSL else { return nil }
    let explanation: String
    switch ERR_GET_REASON(code) {
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
      explanation =
        "what answers there does not speak TLS; is it a plain port (amqp://)? amqps is usually at 5671"
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_VERSION_TOO_LOW:
      explanation = "no common version of TLS: workq supports 1.2 and 1.3, and the broker neither"
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE where !hasCertificate,
      SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      explanation = "the broker refuses TLS; it may require a client certificate: see --cert and --key"
    case let reason where reason > SSL_AD_REASON_OFFSET && hasCertificate:
      explanation = "the broker refuses TLS, most likely the client certificate: \(Self.reason(code))"
    case let reason where reason > SSL_AD_REASON_OFFSET:
      explanation = "the broker refuses TLS: \(Self.reason(code))"
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return nil
    default: explanation = "TLS failed: \(Self.reason(code))"
    }
    return AMQPError(.tls, operation, explanation)
  }

  /// OpenSSL's text.
  private static func reason(_ code: UInt) -> String {
    unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }

  /// Verifies the broker's certificate: chain, dates, and name.
  private func verifies(_ store: OpaquePointer) -> Bool {
    if unsafe X509_verify_cert(store) == 1 { return true }
    let code = unsafe X509_STORE_CTX_get_error(store)
    let culprit = unsafe X509_STORE_CTX_get_current_cert(store) ?? X509_STORE_CTX_get0_cert(store)
    let depth = unsafe X509_STORE_CTX_get_error_depth(store)
    let whose = depth == 0 ? "the broker's certificate" : "a certificate above the broker's"
    switch code {
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
      let names = unsafe X509_STORE_CTX_get0_cert(store).map { unsafe CertificateNames.all(of: $0) } ?? []
      let known = names.isEmpty ? "nobody" : names.map { "'\($0)'" }.joined(separator: ", ")
      problem = "\(whose) is for \(known), and not for '\(serverName)'"
    case X509_V_ERR_CERT_HAS_EXPIRED:
      let date = unsafe CertificateNames.date(X509_get0_notAfter(culprit))
      problem = "\(whose) has expired, on \(date)"
    case X509_V_ERR_CERT_NOT_YET_VALID:
      let date = unsafe CertificateNames.date(X509_get0_notBefore(culprit))
      problem = "\(whose) is not valid before \(date); is this machine's clock right?"
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      problem = "\(whose) is self-signed and not trusted; --cacert can name it"
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      let issuer = unsafe CertificateNames.commonName(X509_get_issuer_name(culprit)) ?? "somebody"
      problem = "the broker's certificate is signed by an untrusted CA, '\(issuer)'; --cacert can name it"
    default:
      problem = "\(whose) is not good: \(unsafe String(cString: X509_verify_cert_error_string(Int(code))))"
    }
    return false
  }
}
