internal import AMQP
internal import ArgumentParser
internal import Glibc

/// Which broker, and which queue on it, as it is typed.
struct ConnectionOptions: ParsableArguments {
  @Option(
    name: [.customShort("u"), .customLong("url"), .customLong("uri")],
    help: ArgumentHelp(
      "The broker. Repeat it, or separate with commas, for a cluster's nodes: they are tried in turn.",
      discussion: """
        [environment: WORKQ_URL, AMQP_URL, RABBITMQ_URL, CLOUDAMQP_URL] \
        (default: amqp://guest:guest@localhost:5672/%2f)
        """, valueName: "url"))
  var url: [String] = []

  @Option(
    help: ArgumentHelp(
      "Read the URL from the first line of a file that only its owner can read.", valueName: "file"),
    completion: .file())
  var urlFile: String?

  @Option(help: "Use this host instead of the URL's.")
  var host: String?

  @Option(help: "Use this port instead of the URL's.")
  var port: UInt16?

  @Option(help: ArgumentHelp("Use this virtual host instead of the URL's.", valueName: "name"))
  var vhost: String?

  @Option(help: ArgumentHelp("Log in as this user; needs --password-file.", valueName: "name"))
  var username: String?

  @Option(
    help: ArgumentHelp("Read the password from such a file.", valueName: "file"),
    completion: .file())
  var passwordFile: String?

  @Option(
    help: ArgumentHelp(
      "Trust these authorities (PEM) with amqps:// instead of the system's.", valueName: "file"),
    completion: .file())
  var cacert: String?

  @Option(
    help: ArgumentHelp("Show the broker this certificate (PEM).", valueName: "file"), completion: .file())
  var cert: String?

  @Option(help: ArgumentHelp("The certificate's key (PEM).", valueName: "file"), completion: .file())
  var key: String?

  @Flag(name: [.customShort("k"), .long], help: ArgumentHelp("Do not verify the broker's certificate."))
  var insecure = false

  @Option(help: ArgumentHelp("Give up an attempt to connect and log in after this.", valueName: "duration"))
  var connectTimeout = TimeSpan(ConnectionSettings().connectTimeout)

  @Option(
    help: ArgumentHelp("Exchange heartbeats with the broker this often; 0 is never.", valueName: "duration"))
  var heartbeat = TimeSpan(ConnectionSettings().heartbeat)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The work queue. [environment: WORKQ_QUEUE] (default: task_queue)", valueName: "name"))
  var queue: String?

  func validate() throws {
    if !url.isEmpty && urlFile != nil { throw ValidationError("--url and --url-file exclude each other.") }
  }

  var settings: ConnectionSettings {
    ConnectionSettings(
      urls: url, urlFile: urlFile, host: host, port: port, vhost: vhost, username: username,
      passwordFile: passwordFile, cacert: cacert, cert: cert, key: key, insecure: insecure,
      connectTimeout: connectTimeout.duration, heartbeat: heartbeat.duration, queue: queue)
  }
}
