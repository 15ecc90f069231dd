import Foundation
import TestSupport
import Testing

/// Certificate verification and its error messages, against a broker and against peers that do not implement
/// AMQP.
@Suite(.slow) final class TLSTrustTests {
  private let certificates: Certificates
  private let queue = freshQueue("trust")
  /// Terminated when this object is deallocated.
  private var peers: [RunningProgram] = []

  init() throws {
    certificates = try Certificates.shared.get()
  }

  /// Publishes and checks what holds for every result: nothing on stdout, at most one line on stderr.
  ///
  /// - Returns: the exit code, and the message without "workq: " and the newline.
  private func publish(_ url: String, _ options: [String]) throws -> (status: Int32, message: String) {
    var program = Program.workq(["publish", "-q", queue, "--connect-timeout", "20s"] + options + ["task"])
    program.environment["AMQP_URL"] = url
    program.environment["SSL_CERT_FILE"] = "/dev/null"
    let result = try program.run()
    #expect(result.output == "", "\(result.error)")
    #expect(result.error.split(separator: "\n").count <= 1, "\(result.error)")
    return (result.status, String(result.error.dropFirst("workq: ".count).dropLast()))
  }

  /// A TLS server that prints the requested server name (SNI) and closes the connection after the handshake.
  ///
  /// `settings` configure its Python context `c`.
  ///
  /// - Returns: its port.
  private func peer(_ name: String, _ settings: String = "") throws -> String {
    let script = """
      import socket, ssl, sys
      c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      c.load_cert_chain(sys.argv[1] + ".pem", sys.argv[1] + ".key")
      c.sni_callback = lambda connection, name, context: print("asked for", name, flush=True)
      \(settings)
      server = socket.create_server(("127.0.0.1", 0))
      print(server.getsockname()[1], flush=True)
      while True:
          s, _ = server.accept()
          try:
              t = c.wrap_socket(s, server_side=True)
              t.recv(8)
              t.close()
          except OSError:
              pass
          s.close()
      """
    let server = try Program(
      "/usr/bin/python3", ["-W", "ignore", "-c", script, certificates(name)]
    ).start()
    try server.waitForOutput("\n")
    peers.append(server)
    return String(server.output.split(separator: "\n").first ?? "")
  }

  // MARK: Accepted certificates

  @Test(arguments: ["localhost", "127.0.0.1"])
  func `accepts a certificate for the broker's host name or IP address`(host: String) throws {
    let (status, message) = try publish(
      try TLSBroker.url(host: host), ["--cacert", certificates("ca.pem")])
    #expect(status == 0)
    #expect(message == "")
    try expectWaiting(in: queue, at: TLSBroker.shared.get(), equals: 1)
  }

  @Test func `reads certificate and key files whose names are not UTF-8`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "workq-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let script = #"""
      mkdir "$2" && name=$2/$(printf 'caf\351') && cp "$3" "$name.ca" && cp "$4" "$name.pem" && cp "$5" "$name.key" &&
        "$0" publish -q "$1" -u "$6" --cacert "$name.ca" --cert "$name.pem" --key "$name.key" x &&
        "$0" publish -q "$1" -u "$6" --cacert "$name" --cert "$name.pem" --key "$name.key" x
      """#
    let files = ["ca.pem", "clerk.pem", "clerk.key"].map { certificates($0) }
    let url = try TLSBroker.url("?auth_mechanism=external")
    let result = try shell(script, queue, directory, files[0], files[1], files[2], url).run()
    #expect(result.status == 66, "\(result.error)")
    #expect(result.error.contains("cannot read '\(directory)/caf\u{fffd}'"), "\(result.error)")
    try expectWaiting(in: queue, at: TLSBroker.shared.get(), equals: 1)
  }

  @Test func `trusts the CA file in SSL_CERT_FILE when --cacert is not given`() throws {
    var program = Program.workq("publish", "-q", queue, "task")
    program.environment["AMQP_URL"] = try TLSBroker.url()
    program.environment["SSL_CERT_FILE"] = certificates("ca.pem")
    let result = try program.run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error == "", "\(result.error)")
  }

  @Test func `reads cacertfile, server_name_indication and verify from the URL`() throws {
    let port = try peer("wrong")
    let parameters = "cacertfile=\(certificates("ca.pem"))&server_name_indication=node1.mq.example"
    let (status, message) = try publish("amqps://127.0.0.1:\(port)?\(parameters)", [])
    // The handshake succeeded; the peer does not implement AMQP.
    #expect(status == 69)
    #expect(message.contains(": cannot log in: "))
    #expect(peers[0].output.contains("asked for node1.mq.example\n"))
    let plain = try publish("amqps://127.0.0.1:\(port)?verify=verify_none", [])
    #expect(plain.status == 69)
    #expect(peers[0].output.hasSuffix("asked for None\n"))
  }

  @Test func `--insecure and verify=verify_none accept an untrusted certificate`() throws {
    let (status, message) = try publish(try TLSBroker.url(), ["--insecure"])
    #expect(status == 0)
    #expect(message == "")
    try expect(publish(try TLSBroker.url("?verify=verify_none"), []).status, equals: 0)
  }

  // MARK: Rejected certificates, peers and files

  @Test(arguments: [
    (
      "server", "localhost", "other.pem",
      "is signed by an untrusted CA, 'workq test authority'"
    ),
    ("self", "localhost", "ca.pem", "is self-signed and not trusted"),
    ("expired", "localhost", "ca.pem", "has expired, on 20"),
    ("wrong", "localhost", "ca.pem", "is for 'mq.example', '*.mq.example', and not for 'localhost'"),
    ("wrong", "127.0.0.1", "ca.pem", "is for 'mq.example', '*.mq.example', and not for '127.0.0.1'"),
    ("stranger", "localhost", "ca.pem", "is for 'stranger', and not for 'localhost'"),
  ])
  func `exits with 69 and reports why the broker's certificate is rejected`(
    name: String, host: String, authority: String, reason: String
  ) throws {
    let port = try peer(name)
    let (status, message) = try publish("amqps://\(host):\(port)", ["--cacert", certificates(authority)])
    #expect(status == 69)
    let start = "\(host):\(port)/: cannot connect: the broker's certificate \(reason)"
    #expect(message.hasPrefix(start), "\(message)")
  }

  @Test func `rejects a certificate of a private CA when --cacert is not given`() throws {
    let (status, message) = try publish(try TLSBroker.url(), [])
    let reason =
      "the broker's certificate is signed by an untrusted CA, 'workq test authority'"
    #expect(status == 69, "\(message)")
    #expect(message.hasSuffix(": \(reason); --cacert can name it"), "\(message)")
  }

  @Test func `refuses to connect when the peer supports only an old TLS version`() throws {
    let port = try peer(
      "server",
      "c.set_ciphers('ALL:@SECLEVEL=0'); c.minimum_version = c.maximum_version = ssl.TLSVersion.TLSv1_1")
    let (status, message) = try publish(
      "amqps://localhost:\(port)", ["--cacert", certificates("ca.pem"), "--insecure"])
    #expect(status == 69)
    #expect(
      message == """
        localhost:\(port)/: cannot connect: no common version of TLS: workq supports 1.2 and 1.3, and the broker \
        neither
        """)
  }

  @Test(arguments: ["TLSv1_2", "TLSv1_3"])
  func `suggests --cert and --key when the peer requires a client certificate`(version: String) throws {
    let port = try peer(
      "server",
      """
      c.minimum_version = c.maximum_version = ssl.TLSVersion.\(version)
      c.verify_mode = ssl.CERT_REQUIRED; c.load_verify_locations('\(certificates("ca.pem"))')
      """)
    let options = ["--cacert", certificates("ca.pem")]
    let (status, message) = try publish("amqps://localhost:\(port)", options)
    #expect(status == 69)
    #expect(message.contains("may require a client certificate: see --cert and --key"), "\(message)")
    let own = ["--cert", certificates("clerk.pem"), "--key", certificates("clerk.key")]
    let good = try publish("amqps://localhost:\(port)", options + own)
    #expect(
      good.message.contains("after the TLS handshake; the broker may not trust the client certificate"),
      "\(good.message)")
  }

  @Test func `reports that the broker rejects an untrusted client certificate`() throws {
    let own = ["--cert", certificates("self.pem"), "--key", certificates("self.key")]
    let (status, message) = try publish(
      try TLSBroker.url(), ["--cacert", certificates("ca.pem")] + own)
    #expect(status == 69)
    // The broker sends an alert and closes the connection; workq may notice the close first.
    let reasons = [
      "the broker refuses TLS, most likely the client certificate: ",
      "the broker may not trust the client certificate",
    ]
    #expect(reasons.contains { message.contains($0) }, "\(message)")
  }

  @Test(arguments: [
    ("s.recv(9999); s.close()", "the peer closed the connection during the TLS handshake"),
    (
      "s.recv(9999); s.sendall(b'AMQP\\0\\0\\t\\1')",
      "what answers there does not speak TLS; is it a plain port"
    ),
    ("s.recv(9999); s.sendall(bytes(range(256)) * 400)", "what answers there does not speak TLS"),
    ("s.recv(9999); s.recv(9999)", "the TLS handshake had no answer in time"),
  ])
  func `exits with 69 when the TLS handshake is not completed`(behaviour: String, reason: String) throws {
    let script = """
      import socket, time
      server = socket.create_server(("127.0.0.1", 0))
      print(server.getsockname()[1], flush=True)
      while True:
          s, _ = server.accept()
          try:
              \(behaviour)
          except OSError:
              pass
      """
    let listener = try Program("/usr/bin/python3", ["-c", script]).start()
    try listener.waitForOutput("\n")
    let port = listener.output.dropLast()
    let timeout = reason.contains("no answer in time") ? "1s" : "60s"
    var program = Program.workq("publish", "--connect-timeout", timeout, "x")
    program.environment["AMQP_URL"] = "amqps://127.0.0.1:\(port)"
    let result = try program.run()
    #expect(result.status == 69)
    #expect(result.error.hasPrefix("workq: 127.0.0.1:\(port)/: cannot connect: \(reason)"), "\(result.error)")
  }

  @Test(arguments: [
    (["--cacert", "/nonexistent"], "cannot read '/nonexistent': No such file or directory"),
    (["--cacert", "clerk.key"], "clerk.key' contains no CA certificates (PEM)"),
    (["--cert", "/nonexistent", "--key", "clerk.key"], "cannot read '/nonexistent'"),
    (["--cert", "clerk.key", "--key", "clerk.key"], "clerk.key' holds no certificate (PEM)"),
    (["--cert", "clerk.pem", "--key", "clerk.pem"], "clerk.pem' holds no key (PEM)"),
    (["--cert", "clerk.pem", "--key", "self.key"], "self.key' is not the key of '"),
    (["--cert", "clerk.pem", "--key", "encrypted.key"], "encrypted.key' is encrypted, and nobody is asked"),
  ])
  func `exits with 66 when a certificate or key file is unusable`(options: [String], reason: String) throws {
    let options = options.map { $0.hasPrefix("-") || $0.hasPrefix("/") ? $0 : certificates($0) }
    let (status, message) = try publish("amqps://127.0.0.1:1", options)
    #expect(status == 66, "\(message)")
    #expect(message.contains(reason), "\(message)")
  }

  // MARK: Authentication by client certificate

  private func clerk(_ name: String) -> [String] {
    ["--cacert", certificates("ca.pem"), "--cert", certificates("\(name).pem")]
      + ["--key", certificates("\(name).key")]
  }

  @Test func `logs in by client certificate when the URL has auth_mechanism=external`() throws {
    let (status, message) = try publish(try TLSBroker.url("?auth_mechanism=external"), clerk("clerk"))
    #expect(status == 0)
    #expect(message == "")
    let task = try #require(drain(queue, at: TLSBroker.shared.get()).first)
    #expect(task.text == "task")
    let user = try publish(
      try TLSBroker.url("?auth_mechanism=external"), clerk("clerk") + ["--user-id", "clerk"])
    #expect(user.status == 0, "the broker takes us for 'clerk'")
    let another = try publish(
      try TLSBroker.url("?auth_mechanism=external"), clerk("clerk") + ["--user-id", "guest"])
    #expect(another.status != 0)
  }

  @Test func `exits with 77 when the client certificate names an unknown user`() throws {
    let (status, message) = try publish(try TLSBroker.url("?auth_mechanism=external"), clerk("stranger"))
    #expect(status == 77, "\(message)")
    #expect(message.contains("ACCESS_REFUSED"), "\(message)")
  }

  @Test func `auth_mechanism=external without a client certificate is a usage error`() throws {
    let (status, message) = try publish("amqps://localhost?auth_mechanism=external", [])
    #expect(status == 64)
    #expect(message == "auth_mechanism=external needs a client certificate: --cert and --key")
  }
}

/// Publishing and working over TLS.
@Suite(.slow, .serialized) struct TLSWorkTests {
  private let broker: Broker
  private let queue = freshQueue("secret-work")

  init() throws {
    broker = try TLSBroker.shared.get()
  }

  private func bulk(_ lines: [String], _ options: String..., url: String? = nil) throws -> Program.Result {
    try TLSBroker.workq(["publish", "-l", "-q", queue] + options, url: url)
      .run(input: Array((lines.joined(separator: "\n") + "\n").utf8))
  }

  @Test func `publishes ten thousand lines once each and in order`() throws {
    let lines = (1...10_000).map { "\($0)" }
    let result = try bulk(lines)
    #expect(result.status == 0, "\(result.error)")
    try expect(drain(queue, at: broker).map(\.text), equals: lines)
  }

  @Test func `publishes bodies of sizes around the limits of TLS records and AMQP frames`() throws {
    let frame = 131_072 - 8
    let sizes = [0, 1, 16_383, 16_384, 16_385, frame - 1, frame, frame + 1, 2 * frame, 3_000_000]
    let lines = sizes.map { String(repeating: "x", count: $0) }
    let result = try bulk(lines)
    #expect(result.status == 0, "\(result.error)")
    try expect(drain(queue, at: broker).map(\.bytes.count), equals: sizes)
  }

  @Test func `the worker runs 400 tasks once each with eight jobs`() throws {
    let lines = (1...400).map { "\($0)" }
    try expect(bulk(lines).status, equals: 0)
    let work = try TLSBroker.workq(["work", "--drain", "-j", "8", "-q", queue, "--", "sh", "-c", "cat; echo"])
      .run()
    #expect(work.status == 0, "\(work.error)")
    #expect(Set(work.outputLines) == Set(lines))
    #expect(work.outputLines.count == lines.count)
    try expectWaiting(in: queue, at: broker, equals: 0)
  }

  @Test func `work, peek, move, status and purge handle a failed task`() throws {
    try expect(bulk(["bad"]).status, equals: 0)
    let work = try TLSBroker.workq(["work", "--drain", "-q", queue, "--", "sh", "-c", "exit 65"]).run()
    #expect(work.status == 1, "\(work.error)")
    let peek = try TLSBroker.workq(["peek", "--raw", "\(queue).failed"]).run()
    #expect(peek.output == "bad", "\(peek.error)")
    try expect(TLSBroker.workq(["move", "\(queue).failed", queue]).run().status, equals: 0)
    let status = try TLSBroker.workq(["status", "--json", queue]).run()
    #expect(status.output.contains("\"waiting\":1"), "\(status.output)")
    try expect(TLSBroker.workq(["purge", "--force", queue]).run().status, equals: 0)
  }

  /// The broker closes a connection on which it receives nothing for two to three seconds.
  @Test func `heartbeats continue while a command runs and while stdin is idle`() throws {
    let url = try TLSBroker.url("?heartbeat=1")
    let pipe = try NamedPipe()
    var publish = try TLSBroker.workq(["publish", "-v", "-l", "-q", queue], url: url)
    let commandLine = ([publish.path] + publish.arguments).map { "'\($0)'" }.joined(separator: " ")
    (publish.path, publish.arguments) = ("/bin/sh", ["-c", "exec \(commandLine) <'\(pipe.path)'"])
    let publishing = try publish.start()
    try pipe.write("first\n")
    let script = "cat; sleep 5; echo"
    let worker = try TLSBroker.workq(["work", "-v", "-q", queue, "--", "sh", "-c", script], url: url).start()
    try worker.waitForOutput("first\n")
    try pipe.write("second\n")
    try worker.waitForOutput("second\n")
    try pipe.close()
    worker.signal(SIGTERM)
    let (worked, published) = (try worker.end(), try publishing.end())
    #expect(worked.status == 0, "\(worked.error)\(published.error)")
    #expect(published.status == 0, "\(worked.error)\(published.error)")
    for said in [worked.error, published.error] {
      #expect(said.ranges(of: "connected to RabbitMQ").count == 1, "\(said)")
    }
    try expectWaiting(in: queue, at: broker, equals: 0)
  }

  @Test func `the worker reconnects when its connection is cut or stops responding`() throws {
    let proxy = try FaultProxy(to: broker.with(url: TLSBroker.url()))
    defer { proxy.stop() }
    let url = "amqps://localhost:\(proxy.port)?heartbeat=1"
    let worker = try TLSBroker.workq(["work", "-q", queue, "--", "cat"], url: url).start()
    try worker.waitForError("waiting for tasks")
    for (name, disaster) in [("cut", { proxy.cut() }), ("silent", { proxy.set(.frozen) })] {
      let before = proxy.connections
      disaster()
      try waitUntil("the worker reconnects (\(name))") { proxy.connections > before }
      proxy.set(.normal)
      try expect(bulk([name], "--retry-for", "10m", url: url).status, equals: 0)
      try worker.waitForOutput(name)
    }
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test func `publish times out after --confirm-timeout during a memory alarm`() throws {
    try broker.raise(.memory)
    defer { _ = try? broker.clear(.memory) }
    let lines = [String](repeating: String(repeating: "x", count: 100_000), count: 300)
    let result = try bulk(lines, "--confirm-timeout", "2s")
    #expect([3, 75].contains(result.status), "\(result.error)")
    // While rabbitmq-c waits to send over TLS, it does not read `connection.blocked`.
    let reasons = ["the broker blocks publishers", "the broker does not read what we send"]
    #expect(reasons.contains { result.error.contains($0) }, "\(result.error)")
  }
}
