/// Where a broker is, and who we are there.
package struct Address: Equatable, Sendable {
  /// How TLS is to be used; a plain connection has none.
  package struct TLS: Equatable, Sendable {
    /// The trusted authorities (PEM); nil is the system's.
    package var caFile: FilePath?
    package var certificateFile: FilePath?
    package var keyFile: FilePath?
    package var verifiesPeer = true
    /// What the certificate must be issued for, where that is not the host.
    package var serverName: String?

    package init() {}
  }

  /// Who says who we are.
  package enum Mechanism: String, Sendable {
    /// A user name and a password.
    case plain
    /// The certificate that we show (rabbitmq_auth_mechanism_ssl).
    case external
  }

  /// A name or an IP address, IPv6 without brackets.
  package var host = "localhost"
  package var port: UInt16 = 5672
  package var vhost = "/"
  package var username = "guest"
  package var password = "guest"
  package var mechanism = Mechanism.plain
  package var tls: TLS?
  /// What the URL asks for; zero turns heartbeats off, nil leaves it to others.
  package var heartbeat: Duration?
  /// What the URL wants of `Connection.Options.connectTimeout`.
  package var connectTimeout: Duration?
  package var channelMax: UInt16?

  /// The broker of a machine that has just installed one.
  package static let localDefault = Address()

  /// Whether there is a password that not everybody knows.
  package var hasSecret: Bool { !password.isEmpty && (username, password) != ("guest", "guest") }

  /// "host:port/vhost", for people: never the user or the password, and nothing that moves a cursor.
  package var location: String {
    let name = host.contains(":") ? "[\(host)]" : host
    let path = vhost == "/" ? "" : vhost
    return "\(name):\(port)/\(path)".replacingControls { "%\($0 < 16 ? "0" : "")\(String($0, radix: 16))" }
  }
}

extension [Address] {
  /// All their locations, for people.
  package var locations: String { map(\.location).joined(separator: ", ") }
}
