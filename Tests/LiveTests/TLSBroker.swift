import Foundation
import TestSupport

/// Certificates for one run of the tests.
final class Certificates: Sendable {
  static let shared = Result { try Certificates() }

  // Removed together with the brokers' directories when the test run ends.
  private let directory = URL(filePath: Broker.shared.directory).deletingLastPathComponent()
    .appending(path: "certificates")

  private init() throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let script = "\(TestEnvironment.repository)/Tests/TestSupport/certificates"
    let result = try Program(script, [directory.path]).run()
    guard result.status == 0 else { throw Peer.PeerFailed(message: result.error) }
  }

  /// The path of a certificate or key file.
  func callAsFunction(_ name: String) -> String { directory.appending(path: name).path }
}

/// A broker with TLS, which authenticates the user "clerk" by client certificate.
enum TLSBroker {
  static let shared = Result { try start() }

  /// The broker's amqps URL.
  static func url(host: String = "localhost", _ query: String = "") throws -> String {
    let broker = try shared.get()
    let ports = try String(contentsOfFile: "\(broker.directory)/ports", encoding: .utf8).split(separator: " ")
    let port = ports[3].trimmingCharacters(in: .whitespacesAndNewlines)
    return "amqps://\(host):\(port)\(query)"
  }

  /// The program, set to connect to this broker over TLS.
  static func workq(_ arguments: [String], url: String? = nil) throws -> Program {
    let authority = ["--cacert", try Certificates.shared.get()("ca.pem")]
    var program = Program.workq(arguments.prefix(1) + authority + arguments.dropFirst())
    program.environment["AMQP_URL"] = try url ?? Self.url()
    return program
  }

  private static func start() throws -> Broker {
    let certificates = try Certificates.shared.get()
    let broker = try Broker.start { directory in
      try "[rabbitmq_auth_mechanism_ssl].".write(
        toFile: "\(directory)/plugins", atomically: true, encoding: .utf8)
      try """
      ssl_options.cacertfile = \(certificates("ca.pem"))
      ssl_options.certfile = \(certificates("server.pem"))
      ssl_options.keyfile = \(certificates("server.key"))
      ssl_options.verify = verify_peer
      ssl_options.fail_if_no_peer_cert = false
      ssl_cert_login_from = common_name
      auth_mechanisms.1 = PLAIN
      auth_mechanisms.2 = EXTERNAL

      """.write(toFile: "\(directory)/tls.conf", atomically: true, encoding: .utf8)
    }
    try broker.addUser("clerk", password: "its password is of no use here")
    return broker
  }
}
