internal import AMQP
internal import Glibc

/// The broker and the queue, from options and the environment.
struct ConnectionSettings: Equatable {
  var urls: [String] = []
  var urlFile: FilePath?
  var host: String?
  var port: UInt16?
  var vhost: String?
  var username: String?
  var passwordFile: FilePath?
  var cacert: FilePath?
  var cert: FilePath?
  var key: FilePath?
  var insecure = false
  var connectTimeout = Duration.seconds(5)
  var heartbeat = Duration.seconds(30)
  var queue: String?

  /// The tutorial's queue.
  static let defaultQueue = "task_queue"

  private static let variables = ["WORKQ_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"]

  /// The brokers to try, in order; reports which option or variable decided (with `--verbose`), and any password that
  /// others can see.
  func addresses(_ console: Console) throws -> [Address] {
    var (addresses, source) = try givenAddresses()
    if !urls.isEmpty && addresses.contains(where: \.hasSecret) {
      console.notice("other users can see the password in --url: better have it in WORKQ_URL or --url-file")
    }
    let password = try passwordFile.map(SecretFile.firstLine)  // once: it may be a pipe
    for index in addresses.indices { try overrideParts(of: &addresses[index], password) }
    console.detail("broker: \(addresses.locations) (from \(source))")
    return addresses
  }

  /// The connection's options; `purpose` is the subcommand, for the connection's name at the broker.
  func options(for purpose: String) -> Connection.Options {
    var options = Connection.Options()
    options.name = "workq \(purpose) (\(Self.processName))"
    options.connectTimeout = connectTimeout
    options.heartbeat = heartbeat
    return options
  }

  /// Identifies this process: "host:pid".
  static var processName: String { "\(hostName):\(getpid())" }

  /// This machine's host name.
  static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    unsafe gethostname(&name, name.count - 1)
    let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Refuses the broker's URL from two sources.
  func check() throws(UsageError) {
    guard urls.isEmpty || urlFile == nil else { throw UsageError("--url and --url-file exclude each other") }
  }

  /// The queue of `--queue` or WORKQ_QUEUE, or the tutorial's.
  func queueName() throws -> String {
    try Self.checkedName(queue ?? Environment["WORKQ_QUEUE"] ?? Self.defaultQueue)
  }

  /// The given queues, or that of `queueName()`.
  func queueNames(_ named: [String]) throws -> [String] {
    if let queue, !named.isEmpty, !named.contains(queue) {
      throw Failure(
        .usage,
        "--queue names '\(Quoted.plain(queue))', and an argument '\(Quoted.plain(named[0]))' (give one queue)"
      )
    }
    return named.isEmpty ? [try queueName()] : try named.map(Self.checkedName)
  }

  private static func checkedName(_ name: String) throws -> String {
    guard !name.isEmpty else { throw Failure(.usage, "a queue's name is empty") }
    guard name.utf8.count <= 255 else {
      throw Failure(.usage, "a queue's name has \(name.utf8.count) bytes; 255 are the most that AMQP allows")
    }
    guard !RawArguments.isEscaped(name) else { throw Failure(.usage, "a queue's name is not valid UTF-8") }
    return name
  }

  private func givenAddresses() throws -> ([Address], source: String) {
    if !urls.isEmpty { return (try urls.flatMap { try Self.parse($0, "--url") }, "--url") }
    if let urlFile {
      return (try Self.parse(try SecretFile.firstLine(of: urlFile), "--url-file"), "--url-file")
    }
    for name in Self.variables {
      if let text = Environment[name] { return (try Self.parse(text, name), name) }
    }
    return ([.localDefault], "the built-in default")
  }

  /// The variables that contain the broker's URL, which a worker's commands must not inherit.
  var ownVariables: Set<String> {
    guard urls.isEmpty && urlFile == nil else { return ["WORKQ_URL"] }
    return ["WORKQ_URL", Self.variables.first { Environment[$0] != nil } ?? "WORKQ_URL"]
  }

  private static func parse(_ text: String, _ source: String) throws -> [Address] {
    do throws(AMQPError) {
      return try Address.list(text)
    } catch {
      throw Failure(.usage, "\(source): \(error.detail)")
    }
  }

  private func overrideParts(of address: inout Address, _ password: String?) throws {
    if let host { address.host = host }
    if let port { address.port = port }
    if let vhost { address.vhost = vhost }
    if let username {
      guard password != nil else {
        throw Failure(.usage, "--username needs --password-file: without it the password is not known")
      }
      address.username = username
    }
    if let password { address.password = password }
    try overrideTLS(of: &address)
    if address.mechanism == .external && address.tls?.certificateFile == nil {
      throw Failure(.usage, "auth_mechanism=external needs a client certificate: --cert and --key")
    }
  }

  private func overrideTLS(of address: inout Address) throws {
    guard cacert != nil || cert != nil || key != nil || insecure else { return }
    guard var tls = address.tls else {
      throw Failure(.usage, "--cacert, --cert, --key and --insecure need an amqps:// URL")
    }
    guard (cert == nil) == (key == nil) else { throw Failure(.usage, "--cert and --key go together") }
    tls.caFile = cacert ?? tls.caFile
    tls.certificateFile = cert ?? tls.certificateFile
    tls.keyFile = key ?? tls.keyFile
    if insecure { tls.verifiesPeer = false }
    address.tls = tls
  }
}
