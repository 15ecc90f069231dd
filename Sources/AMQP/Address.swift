/// A broker's host, port and virtual host, and how to log in.
package struct Address: Equatable, Sendable {
  /// How TLS is to be used; a plain connection has none.
  package struct TLS: Equatable, Sendable {
    /// The CA certificates (PEM); nil means the system's.
    package var caFile: FilePath?
    package var certificateFile: FilePath?
    package var keyFile: FilePath?
    package var verifiesPeer = true
    /// The name in the broker's certificate, if that is not the host.
    package var serverName: String?

    package init() {}
  }

  /// How to authenticate.
  package enum Mechanism: String, Sendable {
    /// A user name and a password.
    case plain
    /// The client certificate (rabbitmq_auth_mechanism_ssl).
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
  /// The URL's parameter; zero turns heartbeats off, nil means that it was not given.
  package var heartbeat: Duration?
  /// The URL's parameter for `Connection.Options.connectTimeout`.
  package var connectTimeout: Duration?
  package var channelMax: UInt16?

  /// The default of a newly installed broker.
  package static let localDefault = Address()

  /// Whether the password is a secret (not the default one).
  package var hasSecret: Bool { !password.isEmpty && (username, password) != ("guest", "guest") }

  /// "host:port/vhost", for messages: sanitized, without the user and the password.
  package var location: String {
    let name = host.contains(":") ? "[\(host)]" : host
    let path = vhost == "/" ? "" : vhost
    return "\(name):\(port)/\(path)".replacingControls { "%\($0 < 16 ? "0" : "")\(String($0, radix: 16))" }
  }
}

extension [Address] {
  /// All their locations, for messages.
  package var locations: String { map(\.location).joined(separator: ", ") }
}
