package import AMQP

extension Spool {
  /// The directory's name for a broker: "host_port_vhost", with all but letters, digits, "." and "-" as
  /// "%" and two digits, so that no two brokers share one.
  package static func directoryName(for address: Address) -> String {
    let name = "\(escaped(address.host.lowercased()))_\(address.port)_\(escaped(address.vhost))"
    // File systems take 255 bytes at most.
    return name.count <= 255 ? name : split(name)
  }

  private static func split(_ name: String) -> String {
    var (parts, rest) = ([String](), name[...])
    while !rest.isEmpty {
      parts.append(String(rest.prefix(200)))
      rest = rest.dropFirst(200)
    }
    return parts.joined(separator: "/+")
  }

  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      switch Unicode.Scalar(byte) {
      case "a"..."z", "A"..."Z", "0"..."9", ".", "-": String(Unicode.Scalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}
