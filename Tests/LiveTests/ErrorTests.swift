import TestSupport
import Testing

/// Each kind of failure: its exit code and its message of one line.
@Suite(.busy) struct ErrorTests {
  /// Runs `workq publish` against a URL, and checks what every failure has in common.
  ///
  /// - Returns: the exit code, and the message without "workq: " and the end of the line.
  private func publish(_ options: String..., to url: String) throws -> (status: Int32, message: String) {
    var program = Program.workq(["publish"] + options + ["task"])
    program.environment["AMQP_URL"] = url
    let result = try program.run()
    #expect(result.output == "")
    #expect(result.error.hasPrefix("workq: "))
    #expect(result.error.hasSuffix("\n"))
    #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
    return (result.status, String(result.error.dropFirst("workq: ".count).dropLast()))
  }

  private var port: Int { Broker.shared.port }

  @Test func `exits with 69 and a hint when nothing listens on the port`() throws {
    let (status, message) = try publish(to: "amqp://127.0.0.1:1")
    #expect(status == 69)
    #expect(
      message == """
        127.0.0.1:1/: cannot connect: Connection refused \
        (is RabbitMQ running there? --url or WORKQ_URL names another broker)
        """)
  }

  @Test(arguments: [
    ("c.sendall(b'SSH-2.0-OpenSSH\\r\\n'); c.recv(99)", "invalid AMQP data"),
    ("c.recv(99); c.close()", "the other side closed the connection"),
    ("c.recv(99)", "no answer in time"),
  ])
  func `exits with 69 and a hint when the peer is not a broker`(behaviour: String, reason: String) throws {
    let script = """
      import socket
      s = socket.create_server(("127.0.0.1", 0))
      print(s.getsockname()[1], flush=True)
      connections = []
      while True:
          c, _ = s.accept()
          connections.append(c)
          \(behaviour)
      """
    let listener = try Program("/usr/bin/python3", ["-c", script]).start()
    try listener.waitForOutput("\n")
    let port = listener.output.dropLast()
    let (status, message) = try publish("--connect-timeout", "1s", to: "amqp://127.0.0.1:\(port)")
    #expect(status == 69)
    #expect(
      message == """
        127.0.0.1:\(port)/: cannot log in: \(reason) \
        (is this an AMQP port, usually 5672, or 5671 for amqps? --url or WORKQ_URL names another broker)
        """)
  }

  @Test func `exits with 69 and a hint when an amqps URL names a port without TLS`() throws {
    let (status, message) = try publish(to: "amqps://127.0.0.1:\(port)")
    #expect(status == 69)
    #expect(
      message == """
        127.0.0.1:\(port)/: cannot connect: what answers there does not speak TLS; is it a plain port \
        (amqp://)? amqps is usually at 5671
        """)
  }

  @Test func `exits with 77 when the password is wrong`() throws {
    let (status, message) = try publish(to: "amqp://guest:hunter2@127.0.0.1:\(port)")
    #expect(status == 77)
    #expect(
      message == """
        127.0.0.1:\(port)/: cannot log in: ACCESS_REFUSED - Login was refused using authentication \
        mechanism PLAIN. For details see the broker logfile. (check the user, the password, the virtual \
        host, and what the user may do there)
        """)
  }

  @Test func `exits with 77 when the virtual host does not exist`() throws {
    let (status, message) = try publish(to: "amqp://127.0.0.1:\(port)/nope")
    #expect(status == 77)
    #expect(message.hasPrefix("127.0.0.1:\(port)/nope: cannot log in: NOT_ALLOWED - vhost nope not found ("))
  }

  @Test func `exits with 77 and does not print the password when the user lacks permissions`() throws {
    try Broker.shared.addUser("reader", password: "hunter2", configure: "^$", write: "^$")
    let url = "amqp://reader:hunter2@127.0.0.1:\(port)"
    let queue = freshQueue()
    let (status, message) = try publish("-q", queue, to: url)
    #expect(status == 77)
    #expect(message.hasPrefix("127.0.0.1:\(port)/: "))
    #expect(message.contains("ACCESS_REFUSED - "))
    #expect(!message.contains("hunter2"))
  }

  @Test(arguments: [
    ("http://h", "it begins neither with amqp:// nor with amqps://"),
    ("amqp://guest:hunter2@h:x", "its port is no number from 1 to 65535"),
    ("amqp://guest:hunter2@h?wait=1", "its parameter 'wait' is unknown"),
    ("amqp://guest@h", "it has a user name without a password"),
  ])
  func `exits with 64 when AMQP_URL is invalid`(url: String, reason: String) throws {
    let (status, message) = try publish(to: url)
    #expect(status == 64)
    #expect(message == "AMQP_URL: not a broker's URL: \(reason)")
  }

  @Test func `exits with 69 when the host name cannot be resolved`() throws {
    let (status, message) = try publish(to: "amqp://no-such-host.invalid")
    #expect(status == 69)
    // The resolver's reason is another one without a network.
    let start = "no-such-host.invalid:5672/: cannot look up 'no-such-host.invalid': "
    #expect(message.hasPrefix(start))
    #expect(message.hasSuffix(" (check the host in --url or WORKQ_URL)"))
  }

  @Test func `exits with 69 and names each broker when all of several brokers are unreachable`() throws {
    let (status, message) = try publish(to: "amqp://127.0.0.1:1,amqp://127.0.0.1:2/v")
    #expect(status == 69)
    #expect(
      message.hasPrefix(
        """
        127.0.0.1:1/, 127.0.0.1:2/v: cannot connect to any of them: 127.0.0.1:1/: Connection refused; \
        127.0.0.1:2/v: Connection refused (
        """))
  }

  @Test func `publishes to the next broker, and reports nothing, when the first is unreachable`() throws {
    let queue = freshQueue()
    let publish = Program.workq("publish", "-u", "amqp://127.0.0.1:1,\(Broker.shared.url)", "-q", queue, "x")
    let result = try publish.run()
    #expect(result.status == 0)
    #expect(result.error == "")
    try expectWaiting(in: queue, equals: 1)
  }

  @Test func `exits with 65 when the task is unroutable`() throws {
    let (status, message) = try publish("-e", "amq.direct", "-r", "nowhere", to: Broker.shared.url)
    #expect(status == 65)
    #expect(message.hasPrefix("127.0.0.1:\(port)/: "))
    #expect(message.contains("NO_ROUTE"))
  }

  @Test(arguments: [
    (["publis"], "there is no subcommand 'publis'; did you mean 'publish'? (see 'workq --help')"),
    (["move", "a", "b", "c"], "unexpected argument 'c' (see 'workq move --help')"),
    (
      ["work", "./resize"],
      "unexpected argument './resize'; a command to run goes after '--' (see 'workq work --help')"
    ),
    (
      ["work", "--prefetch", "many"],
      "--prefetch: invalid number 'many' (use 0 to 65535)"
    ),
    (
      ["work", "-q", "mail"],
      "without a command, the tasks of 'mail' would be acknowledged and lost (give a command"
    ), (["publish", "-q", "mail"], "no task given ("), (["publish", "-e", "logs"], "no task given ("),
    (["send", "x"], "there is no subcommand 'send' (use 'workq publish')"),
    (["publish", "-q=mail", "x"], "'-q=mail' is ambiguous (use -q mail or --queue=mail)"),
    (["purge", "task_queue"], "purge removes tasks permanently: "),
    (["publish", "-q", "", "x"], "a queue's name is empty"),
  ])
  func `exits with 64 and a one-line hint when an argument is wrong`(arguments: [String], start: String)
    throws
  {
    let result = try Program.workq(arguments).run()
    #expect(result.status == 64)
    #expect(result.output == "")
    #expect(result.error.hasPrefix("workq: \(start)"), "\(result.error)")
    #expect(result.error.split(separator: "\n").count == 1)
  }

  /// Each command is run with `--verbose` and with each kind of failing URL.
  @Test(arguments: [
    ["publish", "x"], ["publish", "--json", "x"], ["work", "--fake"], ["declare"], ["declare", "--check"],
    ["purge", "--force"],
  ])
  func `prints no password when a command fails with --verbose`(arguments: [String]) throws {
    let places = [
      "127.0.0.1:1", "127.0.0.1:\(port)", "127.0.0.1:\(port)/nope", "127.0.0.1:x", "h?hunter=2",
      "no-such-host.invalid", "127.0.0.1:1,amqp://guest:hunter2@127.0.0.1:2",
    ]
    for place in places {
      var program = Program.workq(arguments + ["--verbose", "-q", freshQueue()])
      program.environment["AMQP_URL"] = "amqp://guest:hunter2@\(place)"
      let result = try program.run()
      #expect(result.status != 0)
      #expect(!(result.error + result.output).contains("hunter2"), "\(result.error)")
    }
  }

  @Test func `reads the password from --password-file, and reports a missing option or file`() throws {
    try Broker.shared.addUser("clerk", password: "hunter2 with blanks")
    let file = try TemporaryFile("hunter2 with blanks\n")
    let arguments = ["--username", "clerk", "--password-file", file.path]
    let queue = freshQueue()
    let good = try Program.workq(["publish", "-v", "-q", queue, "x"] + arguments).run()
    #expect(good.status == 0)
    #expect(!good.error.contains("hunter2"))
    try expectWaiting(in: queue, equals: 1)
    let missing = try Program.workq(["publish", "x", "--username", "clerk"]).run()
    #expect(missing.status == 64)
    #expect(missing.error.contains("--username needs --password-file"))
    let unreadable = ["--username", "clerk", "--password-file", "/nonexistent"]
    let noFile = try Program.workq(["publish", "x"] + unreadable).run()
    #expect(noFile.status == 66)
    #expect(noFile.error == "workq: cannot read '/nonexistent': No such file or directory\n")
  }
}
