/// Parses broker URLs, by RabbitMQ's URI and URI query specifications with two additions: "amqp://host/" means the
/// virtual host "/", and a password may contain a raw "@".
///
/// rabbitmq-c's parser reads "amqp://host/" as the virtual host "", supports neither queries nor UTF-8, and gives a
/// user without a password the password "guest". Errors here name the part that is wrong, and never contain the text
/// before the "@".
extension Address {
  /// - Throws: `badAddress`.
  package init(url: String) throws(AMQPError) {
    let text = url.utf8.drop { Self.isBlank($0) }
    let trimmed = Array(text.reversed().drop { Self.isBlank($0) }.reversed())
    if let control = trimmed.first(where: { $0 < 0x20 || $0 == 0x7f || $0 == 0x20 }) {
      throw Self.bad(control == 0x20 ? "it holds a blank; write %20" : "it holds a control character")
    }
    let (scheme, rest) = try Self.scheme(of: trimmed)
    self.init()
    if scheme == "amqps" { (tls, port) = (TLS(), 5671) }
    guard !rest.contains(UInt8(ascii: "#")) else { throw Self.bad("it holds a '#'; write %23") }
    // The user and the password come before the last "@". If the "@" might belong to a parameter, the URL is refused:
    // otherwise half a password could be taken for a parameter and shown in an error.
    let (userInfo, location) = rest.split(atLast: "@")
    if let userInfo, userInfo.contains(UInt8(ascii: "?")) {
      throw Self.bad("it holds a '?' before a '@'; write %3f in a password, %40 in a parameter")
    }
    let (base, query) = location.split(atFirst: "?")
    let (authority, path) = base.split(atFirst: "/")
    if let userInfo { try readUserInfo(userInfo) }
    try readAuthority(authority)
    if let path { try readPath(path) }
    if let query { try readQuery(query) }
  }

  /// Reads a list, separated by commas.
  ///
  /// Only a comma in front of another "amqp://" or "amqps://" separates, so a password may contain commas.
  ///
  /// - Throws: `badAddress`, which says which of several URLs it is.
  package static func list(_ text: String) throws(AMQPError) -> [Address] {
    var parts: [String] = []
    for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
      let start = piece.drop { $0 == " " }.lowercased()
      if parts.isEmpty || start.hasPrefix("amqp://") || start.hasPrefix("amqps://") {
        parts.append(String(piece))
      } else {
        parts[parts.count - 1] += "," + piece
      }
    }
    var addresses: [Address] = []
    for (index, part) in parts.enumerated() {
      do throws(AMQPError) {
        addresses.append(try Address(url: part))
      } catch {
        guard parts.count > 1 else { throw error }
        throw AMQPError(error.kind, error.operation, "URL \(index + 1) of \(parts.count): \(error.detail)")
      }
    }
    return addresses
  }

  // MARK: The parts

  private static func scheme(of url: [UInt8]) throws(AMQPError) -> (scheme: String, rest: ArraySlice<UInt8>) {
    for scheme in ["amqp", "amqps"] {
      let start = "\(scheme)://"
      if String(decoding: url.prefix(start.utf8.count), as: UTF8.self).lowercased() == start {
        return (scheme, url.dropFirst(start.utf8.count))
      }
    }
    throw bad("it begins neither with amqp:// nor with amqps://")
  }

  private mutating func readUserInfo(_ bytes: ArraySlice<UInt8>) throws(AMQPError) {
    let (name, password) = bytes.split(atFirst: ":")
    guard let password else { throw Self.bad("it has a user name without a password") }
    username = try Self.decode(name, "user name")
    self.password = try Self.decode(password, "password")
    guard !username.isEmpty else { throw Self.bad("its user name is empty") }
  }

  private mutating func readAuthority(_ bytes: ArraySlice<UInt8>) throws(AMQPError) {
    guard !bytes.contains(UInt8(ascii: ",")) else {
      throw Self.bad("its host holds a ','; in a list, each URL begins with amqp:// or amqps://")
    }
    var (name, number) = bytes.split(atFirst: ":")
    if bytes.first == UInt8(ascii: "[") {
      let (address, rest) = bytes.dropFirst().split(atFirst: "]")
      guard let rest, rest.isEmpty || rest.first == UInt8(ascii: ":"), !address.isEmpty else {
        throw Self.bad("its IPv6 address is not like [::1]")
      }
      (name, number) = (address, rest.isEmpty ? nil : rest.dropFirst())
    }
    if !name.isEmpty { host = try Self.decode(name, "host") }
    guard let number else { return }
    guard let port = Self.number(number, upTo: 65_535), port > 0 else {
      throw Self.bad("its port is no number from 1 to 65535")
    }
    self.port = UInt16(port)
  }

  private mutating func readPath(_ bytes: ArraySlice<UInt8>) throws(AMQPError) {
    guard !bytes.contains(UInt8(ascii: "/")) else {
      throw Self.bad("its virtual host holds a raw '/'; write %2f")
    }
    if !bytes.isEmpty { vhost = try Self.decode(bytes, "virtual host") }
    guard vhost.utf8.count <= 255 else { throw Self.bad("its virtual host is longer than 255 bytes") }
  }

  // MARK: The query

  private mutating func readQuery(_ bytes: ArraySlice<UInt8>) throws(AMQPError) {
    for pair in bytes.split(separator: UInt8(ascii: "&")) {
      let (key, value) = pair.split(atFirst: "=")
      let name = try Self.decode(key, "query")
      guard let value, !value.isEmpty else {
        throw Self.bad("its parameter \(Self.shown(name)) has no value")
      }
      try readParameter(name, try Self.decode(value, "parameter \(Self.shown(name))"))
    }
    guard (tls?.certificateFile == nil) == (tls?.keyFile == nil) else {
      throw Self.bad("certfile and keyfile go together")
    }
  }

  /// Reads one parameter; a later one of the same name wins.
  private mutating func readParameter(_ name: String, _ value: String) throws(AMQPError) {
    switch name {
    case "heartbeat": heartbeat = .seconds(try Self.number(value, name, upTo: 65_535))
    case "connection_timeout": connectTimeout = .milliseconds(try Self.number(value, name, upTo: 1 << 31))
    case "channel_max": channelMax = UInt16(try Self.number(value, name, upTo: 65_535))
    case "auth_mechanism":
      guard let mechanism = Mechanism(rawValue: value.lowercased()) else {
        throw Self.bad("auth_mechanism is neither plain nor external")
      }
      guard mechanism == .plain || tls != nil else {
        throw Self.bad("auth_mechanism=external needs amqps://")
      }
      self.mechanism = mechanism
    case "cacertfile", "certfile", "keyfile", "verify", "server_name_indication":
      try readTLSParameter(name, value)
    default:
      throw Self.bad("its parameter \(Self.shown(name)) is unknown")
    }
  }

  private mutating func readTLSParameter(_ name: String, _ value: String) throws(AMQPError) {
    guard tls != nil else { throw Self.bad("\(name) needs amqps://") }
    switch (name, value) {
    case ("cacertfile", _): tls?.caFile = FilePath(value)
    case ("certfile", _): tls?.certificateFile = FilePath(value)
    case ("keyfile", _): tls?.keyFile = FilePath(value)
    case ("verify", "verify_peer"): tls?.verifiesPeer = true
    case ("verify", "verify_none"): tls?.verifiesPeer = false
    case ("verify", _): throw Self.bad("verify is neither verify_peer nor verify_none")
    default: tls?.serverName = value
    }
  }

  // MARK: Text

  private static func bad(_ detail: String) -> AMQPError {
    AMQPError(.badAddress, "read the broker's URL", "not a broker's URL: \(detail)")
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0d).contains(byte)
  }

  /// An untrusted name, sanitized and shortened for a message.
  private static func shown(_ name: String) -> String {
    "'\(String(name.unicodeScalars.prefix(40)).sanitized)'"
  }

  private static func decode(_ bytes: ArraySlice<UInt8>, _ part: String) throws(AMQPError) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var rest = bytes
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        result.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
        throw bad("its \(part) has a '%' that two hexadecimal digits do not follow; write %25 for '%'")
      }
      guard high + low > 0 else { throw bad("its \(part) holds a %00") }
      result.append(high << 4 | low)
    }
    guard let text = String(validating: result, as: UTF8.self) else { throw bad("its \(part) is not UTF-8") }
    return text
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
  }

  private static func number(_ text: String, _ name: String, upTo limit: Int) throws(AMQPError) -> Int {
    guard let number = number(text.utf8, upTo: limit) else {
      throw bad("\(name) is no whole number up to \(limit)")
    }
    return number
  }

  /// Digits only: no sign, no blank.
  private static func number(_ digits: some Collection<UInt8>, upTo limit: Int) -> Int? {
    guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(String(decoding: digits, as: UTF8.self)).flatMap { $0 <= limit ? $0 : nil }
  }
}

extension ArraySlice<UInt8> {
  /// The text before the first such character, and after it; nil when it does not occur.
  fileprivate func split(atFirst mark: Unicode.Scalar) -> (ArraySlice, ArraySlice?) {
    guard let index = firstIndex(of: UInt8(ascii: mark)) else { return (self, nil) }
    return (self[..<index], self[(index + 1)...])
  }

  /// The text before the last such character (nil when it does not occur), and after it.
  fileprivate func split(atLast mark: Unicode.Scalar) -> (ArraySlice?, ArraySlice) {
    guard let index = lastIndex(of: UInt8(ascii: mark)) else { return (nil, self) }
    return (self[..<index], self[(index + 1)...])
  }
}
