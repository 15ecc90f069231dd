import TestSupport
import Testing

@testable import AMQP

@Suite(.units) struct AddressTests {
  /// An expected address: the default for host "h", with changes.
  private static func address(_ change: (inout Address) -> Void = { _ in }) -> Address {
    var address = Address.localDefault
    address.host = "h"
    change(&address)
    return address
  }

  static let good: [(String, Address)] = [
    ("amqp://h", address()),
    ("amqp://h/", address()),
    ("amqp://h/%2f", address()),
    ("amqp://h/%2F", address()),
    ("  AMQP://h\n", address()),
    ("amqp://", address { $0.host = "localhost" }),
    ("amqp:///v", address { ($0.host, $0.vhost) = ("localhost", "v") }),
    ("amqp://h/a%20b", address { $0.vhost = "a b" }),
    ("amqp://h/K%C3%A4se", address { $0.vhost = "Käse" }),
    ("amqp://h/Käse", address { $0.vhost = "Käse" }),
    ("amqp://h:1", address { $0.port = 1 }),
    ("amqp://h:65535/", address { $0.port = 65_535 }),
    ("amqps://h", address { ($0.port, $0.tls) = (5671, .init()) }),
    ("amqp://[::1]", address { $0.host = "::1" }),
    ("amqp://[fe80::1]:15672/v", address { ($0.host, $0.port, $0.vhost) = ("fe80::1", 15_672, "v") }),
    ("amqp://u:p@h", address { ($0.username, $0.password) = ("u", "p") }),
    ("amqp://u:@h", address { ($0.username, $0.password) = ("u", "") }),
    (
      "amqp://u:p@ss:w@h:7/v",
      address {
        ($0.username, $0.password, $0.port, $0.vhost) = ("u", "p@ss:w", 7, "v")
      }
    ),
    ("amqp://u:a/b,c%40@h", address { ($0.username, $0.password) = ("u", "a/b,c@") }),
    (
      "amqp://u:a%3fb@h?heartbeat=1",
      address { ($0.username, $0.password, $0.heartbeat) = ("u", "a?b", .seconds(1)) }
    ),
    ("amqp://u%3a:%25%c3%a9@h", address { ($0.username, $0.password) = ("u:", "%é") }),
    ("amqp://h?heartbeat=10", address { $0.heartbeat = .seconds(10) }),
    (
      "amqp://h/v?heartbeat=0&connection_timeout=2500&channel_max=7",
      address {
        ($0.vhost, $0.heartbeat, $0.connectTimeout, $0.channelMax) = ("v", .zero, .milliseconds(2500), 7)
      }
    ),
    ("amqp://h?heartbeat=1&heartbeat=2&", address { $0.heartbeat = .seconds(2) }),
    ("amqp://h?auth_mechanism=PLAIN", address()),
    (
      "amqps://h?cacertfile=/c%20a.pem&certfile=c&keyfile=k&verify=verify_none",
      address {
        $0.port = 5671
        var tls = Address.TLS()
        (tls.caFile, tls.certificateFile, tls.keyFile, tls.verifiesPeer) = ("/c a.pem", "c", "k", false)
        $0.tls = tls
      }
    ),
    (
      "amqps://h?server_name_indication=n&verify=verify_peer&auth_mechanism=External",
      address {
        ($0.port, $0.tls, $0.mechanism) = (5671, .init(), .external)
        $0.tls?.serverName = "n"
      }
    ),
  ]

  @Test(arguments: good)
  func `parses a valid AMQP URL`(url: String, expected: Address) throws {
    try expect(Address(url: url), equals: expected)
  }

  static let bad: [(String, String)] = [
    ("", "amqps://"), ("h", "amqps://"), ("http://h", "amqps://"), ("amqp:/h", "amqps://"),
    ("amqp:h", "amqps://"), ("amqp://u@h", "user name without a password"),
    ("amqp://@h", "user name without a password"), ("amqp://:p@h", "user name is empty"),
    ("amqp://h//", "raw '/'"), ("amqp://h/a/b", "raw '/'"), ("amqp://h/%00", "%00"), ("amqp://h/%zz", "'%'"),
    ("amqp://h/%4", "'%'"), ("amqp://h/%", "'%'"), ("amqp://h/%ff", "not UTF-8"),
    ("amqp://h/%C3", "not UTF-8"), ("amqp://h:", "port"), ("amqp://h:0", "port"), ("amqp://h:65536", "port"),
    ("amqp://h:+5672", "port"), ("amqp://h: 5672", "blank"), ("amqp://h:5672x", "port"),
    ("amqp://h:99999999999999999999", "port"), ("amqp://h:-1", "port"), ("amqp://h#x", "'#'"),
    ("amqp://h/a b", "blank"), ("amqp://h/\u{1b}[2J", "control"), ("amqp://[::1", "IPv6"),
    ("amqp://[::1]x", "IPv6"), ("amqp://[]", "IPv6"), ("amqp://::1", "port"),
    ("amqp://h/\(String(repeating: "v", count: 256))", "255 bytes"), ("amqp://h?x=1", "'x' is unknown"),
    ("amqp://h?he%1bat=1", "'he?at' is unknown"), ("amqp://h?heartbeat", "no value"),
    ("amqp://h?heartbeat=", "no value"), ("amqp://h?heartbeat=-1", "heartbeat is no"),
    ("amqp://h?heartbeat=1s", "heartbeat is no"), ("amqp://h?heartbeat=65536", "heartbeat is no"),
    ("amqp://h?channel_max=65536", "channel_max is no"), ("amqp://h?verify=verify_none", "needs amqps"),
    ("amqp://h?cacertfile=x", "needs amqps"), ("amqps://h?certfile=x", "go together"),
    ("amqps://h?keyfile=x", "go together"), ("amqps://h?verify=no", "verify_peer"),
    ("amqp://h?auth_mechanism=external", "needs amqps"), ("amqps://h?auth_mechanism=x", "auth_mechanism"),
    ("amqp://u:p?w@h", "'?' before a '@'"), ("amqp://h?x=a@b", "'?' before a '@'"),
    ("amqp://one,two", "each URL begins"), ("amqp://one:1,two:2", "each URL begins"),
  ]

  @Test(arguments: bad)
  func `refuses an invalid URL and names the reason`(url: String, reason: String) {
    let error = #expect(throws: AMQPError.self) { try Address(url: url) }
    #expect(error?.kind == .badAddress)
    #expect(error?.detail.contains(reason) == true, "\(error?.detail ?? "")")
  }

  @Test func `splits a list of URLs at commas, except inside a password`() throws {
    let list = try Address.list("amqp://u:a,b@one:1/v, AMQPS://two,amqp://three?heartbeat=1")
    #expect(list.map(\.host) == ["one", "two", "three"])
    #expect(list[0].password == "a,b")
    let error = #expect(throws: AMQPError.self) { try Address.list("amqp://one,amqp://two:x") }
    #expect(error?.detail.hasPrefix("URL 2 of 2: ") == true)
    #expect(throws: AMQPError.self) { try Address.list("amqp://one,two") }
    #expect(throws: AMQPError.self) { try Address.list("") }
  }

  @Test(arguments: [
    ("amqp://u:secret@h/", "h:5672/"), ("amqp://h/v", "h:5672/v"), ("amqps://[::1]", "[::1]:5671/"),
    ("amqp://h/%1b%5b2J", "h:5672/%1b[2J"),
  ])
  func `a location omits credentials and escapes control characters`(url: String, location: String) throws {
    try expect(Address(url: url).location, equals: location)
  }

  @Test func `parses percent-encoded random URL parts back to their original text`() throws {
    var random = SeededRandom(seed: 3)
    func text(_ range: ClosedRange<Int>) -> String {
      let scalars = (0..<Int.random(in: range, using: &random)).compactMap { _ in
        Unicode.Scalar(UInt32.random(in: 1...0x2ff, using: &random))
      }
      return String(String.UnicodeScalarView(scalars))
    }
    func escaped(_ text: String) -> String {
      text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
    for _ in 0..<2000 {
      var expected = Address.localDefault
      (expected.username, expected.password) = (text(1...9), text(0...9))
      (expected.host, expected.vhost) = (text(1...9), text(1...9))
      expected.port = .random(in: 1...65_535, using: &random)
      let user = "\(escaped(expected.username)):\(escaped(expected.password))"
      let place = "\(escaped(expected.host)):\(expected.port)/\(escaped(expected.vhost))"
      try expect(Address(url: "amqp://\(user)@\(place)"), equals: expected)
    }
  }

  @Test func `the URL parser handles random input, and no error contains the password`() {
    var random = SeededRandom(seed: 4)
    let fragments = [
      "amqp://", "amqps://", "user:", ":hunter2@", "hunter2", "@", ":", "/", "?", "&", "=", "#", ",", "[",
      "]",
      "%", "%2f", "%00", "%c3", "%zz", "h", "5672", "heartbeat=1", "verify=", "\u{1b}", " ", "é", "\n",
    ]
    var accepted = 0
    for _ in Fuzz.cases(100_000) {
      var url = Bool.random(using: &random) ? "amqp://" : "amqp://user:hunter2@"
      for _ in 0..<Int.random(in: 0...8, using: &random) {
        url += fragments.randomElement(using: &random) ?? ""
      }
      do throws(AMQPError) {
        accepted += try Address.list(url).count
      } catch {
        // After the last "@" this text is not a password.
        if !(url.split(separator: "@").last ?? "").contains("hunter2") {
          #expect(!error.detail.contains("hunter2"), "\(url)")
        }
      }
    }
    #expect(accepted > 5000)
  }
}
