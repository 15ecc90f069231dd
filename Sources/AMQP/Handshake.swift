internal import COpenSSL
internal import CRabbitMQ
internal import Glibc

/// One TLS handshake: what is trusted, who we are, and in the end why it failed.
///
/// rabbitmq-c tells of a failed handshake no more than that it failed, compares the host with names and
/// never with IP addresses, and sends what it was told to connect to as the server's name. So the settings
/// and checks are OpenSSL's, made on the context that `amqp_ssl_socket_get_context()` gives away.
///
/// OpenSSL reaches this object by that context, from `begin()` to `end()`: what a peer makes it do later
/// finds nobody.
@safe
final class Handshake {
  private let tls: Address.TLS
  /// What the certificate must be issued for, and what the broker is asked for where it is a name.
  private let serverName: String
  private let isIPAddress: Bool
  private let context: OpaquePointer
  /// What is wrong with the broker's certificate.
  private var verdict: String?

  /// Makes a context ready.
  ///
  /// - Throws: `badFile` when a file that TLS needs is of no use; `tls` when there is no name to verify.
  init(_ context: OpaquePointer, _ address: Address, _ tls: Address.TLS) throws(AMQPError) {
    self.tls = tls
    unsafe self.context = context
    serverName = tls.serverName ?? address.host
    unsafe SSL_CTX_set_info_callback(context, whenSomethingHappens)
    unsafe SSL_CTX_set_options(context, UInt64(1) << 30)  // SSL_OP_NO_RENEGOTIATION
    let lowest = Int(TLS1_2_VERSION)
    if unsafe SSL_CTX_ctrl(context, SSL_CTRL_GET_MIN_PROTO_VERSION, 0, nil) < lowest {
      unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, lowest, nil)
    }
    let parameters = unsafe SSL_CTX_get0_param(context)
    let name = String(serverName.prefix { $0 != "%" })  // fe80::1%eth0
    isIPAddress = unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1
    unsafe try useCertificate(of: tls, context)
    guard tls.verifiesPeer else { return }
    if !isIPAddress {
      unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
      // Without a name OpenSSL would accept any.
      guard !serverName.isEmpty, unsafe X509_VERIFY_PARAM_set1_host(parameters, serverName, 0) == 1 else {
        throw AMQPError(
          .tls, "connect", "there is no name that the broker's certificate could be verified for")
      }
    }
    unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    unsafe SSL_CTX_set_cert_verify_callback(context, verify, nil)
    unsafe try trustAuthorities(of: tls, context)
  }

  /// From here on OpenSSL finds this object.
  func begin() {
    ERR_clear_error()
    unsafe SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
  }

  /// To be called while the context is still there.
  func end() {
    unsafe SSL_CTX_set_ex_data(context, 0, nil)
    ConnectionAttempt.end()
  }

  /// Why a handshake failed for which the library returned `status`.
  func failure(_ status: Int32) -> AMQPError {
    if let verdict { return AMQPError(.tls, "connect", verdict) }
    if let error = Self.refusal("connect", hasCertificate: tls.certificateFile != nil) { return error }
    switch amqp_status_enum(status) {
    case AMQP_STATUS_SOCKET_ERROR:
      return AMQPError(.unreachable, "connect", "the connection broke before TLS began")
    case AMQP_STATUS_TIMEOUT:
      return AMQPError(.noBroker, "connect", "the TLS handshake had no answer in time")
    default:
      return AMQPError(.noBroker, "connect", "the other side ended the TLS handshake without a word")
    }
  }

  /// What the peer said against TLS with us, the last time that something went wrong; nil when it was
  /// something else.
  static func refusal(_ operation: String, hasCertificate: Bool) -> AMQPError? {
    let code = ERR_peek_error()
    guard code != 0, ERR_GET_LIB(code) == ERR_LIB_SSL else { return nil }
    let words: String
    switch ERR_GET_REASON(code) {
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
      words = "what answers there does not speak TLS; is it a plain port (amqp://)? amqps is usually at 5671"
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_VERSION_TOO_LOW:
      words = "no common version of TLS: we speak 1.2 and 1.3, and the broker neither"
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE where !hasCertificate,
      SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      words = "the broker refuses us by TLS; it may want a certificate: see --cert and --key"
    case let reason where reason > SSL_AD_REASON_OFFSET && hasCertificate:
      words = "the broker refuses us by TLS, most likely our certificate: \(Self.reason(code))"
    case let reason where reason > SSL_AD_REASON_OFFSET:
      words = "the broker refuses us by TLS: \(Self.reason(code))"
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return nil
    default: words = "TLS failed: \(Self.reason(code))"
    }
    return AMQPError(.tls, operation, words)
  }

  /// In OpenSSL's words.
  private static func reason(_ code: UInt) -> String {
    unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }

  // MARK: What OpenSSL asks us

  /// A handshake begins on `connection`, and nothing has been sent.
  fileprivate func starts(on connection: OpaquePointer) {
    unsafe ConnectionAttempt.begin(SSL_get_fd(connection))
    // The server's name is no IP address, says RFC 6066.
    let type = Int(TLSEXT_NAMETYPE_host_name)
    unsafe (isIPAddress ? "" : serverName).withCString { name in
      let name = isIPAddress ? nil : unsafe UnsafeMutableRawPointer(mutating: name)
      unsafe SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, type, name)
    }
  }

  /// Verifies the broker's certificate: chain, dates, and name.
  fileprivate func verifies(_ store: OpaquePointer) -> Bool {
    if unsafe X509_verify_cert(store) == 1 { return true }
    let code = unsafe X509_STORE_CTX_get_error(store)
    let culprit = unsafe X509_STORE_CTX_get_current_cert(store) ?? X509_STORE_CTX_get0_cert(store)
    let isBrokers = unsafe X509_STORE_CTX_get_error_depth(store) == 0
    let whose = isBrokers ? "the broker's certificate" : "a certificate above the broker's"
    switch code {
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
      let names = unsafe X509_STORE_CTX_get0_cert(store).map { unsafe CertificateNames.all(of: $0) } ?? []
      let known = names.isEmpty ? "nobody" : names.map { "'\($0)'" }.joined(separator: ", ")
      verdict = "\(whose) is for \(known), and not for '\(serverName)'"
    case X509_V_ERR_CERT_HAS_EXPIRED:
      let date = unsafe CertificateNames.date(X509_get0_notAfter(culprit))
      verdict = "\(whose) has expired, on \(date)"
    case X509_V_ERR_CERT_NOT_YET_VALID:
      let date = unsafe CertificateNames.date(X509_get0_notBefore(culprit))
      verdict = "\(whose) is not valid before \(date); is this machine's clock right?"
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      verdict = "\(whose) is self-signed, and not among those that we trust; --cacert can name it"
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      let issuer = unsafe CertificateNames.commonName(X509_get_issuer_name(culprit)) ?? "somebody"
      verdict =
        "the broker's certificate is signed by an authority that we do not trust, '\(issuer)'; --cacert can name it"
    default:
      verdict = "\(whose) is not good: \(unsafe String(cString: X509_verify_cert_error_string(Int(code))))"
    }
    return false
  }
}

private func handshake(of connection: OpaquePointer?) -> Handshake? {
  guard let connection = unsafe connection else { return nil }
  let shared = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), 0)
  return unsafe shared.map { unsafe Unmanaged<Handshake>.fromOpaque($0).takeUnretainedValue() }
}

private let whenSomethingHappens: @convention(c) (OpaquePointer?, Int32, Int32) -> Void = {
  connection, event, _ in
  guard event & SSL_CB_HANDSHAKE_START != 0, let connection = unsafe connection else { return }
  unsafe handshake(of: connection)?.starts(on: connection)
}

private let verify: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { store, _ in
  guard let store = unsafe store else { return 0 }
  let connection = unsafe X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
  return unsafe handshake(of: connection.map { OpaquePointer($0) })?.verifies(store) == true ? 1 : 0
}

// MARK: Files

/// Loads whom we trust: the file named, or the system's, where SSL_CERT_FILE and SSL_CERT_DIR count.
private func trustAuthorities(of tls: Address.TLS, _ context: OpaquePointer) throws(AMQPError) {
  guard let file = tls.caFile else {
    unsafe SSL_CTX_set_default_verify_paths(context)
    return
  }
  try checkReadable(file)
  guard unsafe SSL_CTX_load_verify_locations(context, file, nil) == 1 else {
    throw AMQPError(.badFile, "connect", "'\(file)' holds no certificates of authorities (PEM)")
  }
}

/// Loads who we are, where that is given.
private func useCertificate(of tls: Address.TLS, _ context: OpaquePointer) throws(AMQPError) {
  guard let certificate = tls.certificateFile, let key = tls.keyFile else { return }
  try checkReadable(certificate)
  try checkReadable(key)
  guard unsafe SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
    throw AMQPError(.badFile, "connect", "'\(certificate)' holds no certificate (PEM)")
  }
  // OpenSSL would ask at the terminal otherwise, which cron has not.
  unsafe SSL_CTX_set_default_passwd_cb(context) { _, _, _, wasAsked in
    unsafe wasAsked?.assumingMemoryBound(to: Bool.self).pointee = true
    return 0
  }
  var isEncrypted = false
  ERR_clear_error()
  let isLoaded = unsafe withUnsafeMutablePointer(to: &isEncrypted) { pointer in
    unsafe SSL_CTX_set_default_passwd_cb_userdata(context, pointer)
    defer { unsafe SSL_CTX_set_default_passwd_cb_userdata(context, nil) }
    return unsafe SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1
  }
  guard !isLoaded else { return }
  let code = ERR_peek_last_error()
  let isOthers = ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH
  let words =
    isEncrypted
    ? "is encrypted, and nobody is asked for the pass phrase; 'openssl pkey' decrypts it"
    : isOthers ? "is not the key of '\(certificate)'" : "holds no key (PEM)"
  throw AMQPError(.badFile, "connect", "'\(key)' \(words)")
}

private func checkReadable(_ file: String) throws(AMQPError) {
  guard unsafe access(file, R_OK) != 0 else { return }
  throw AMQPError(.badFile, "connect", "cannot read '\(file)': \(unsafe String(cString: strerror(errno)))")
}
