import Foundation
import TestSupport
import Testing

/// Where workq reads a password from, and that it leaks into no output, argument, environment or file.
@Suite(.busy) struct SecretTests {
  private static let clerk = Result {
    try Broker.shared.addUser("keeper", password: "hunter2")
  }

  private let queue = freshQueue("secret")
  private let url: String

  init() throws {
    try Self.clerk.get()
    url = "amqp://keeper:hunter2@127.0.0.1:\(Broker.shared.port)"
  }

  private func contents(of path: String) -> String {
    (try? Data(contentsOf: URL(filePath: path))).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  // MARK: Sources of the URL and password

  @Test func `publish reads the URL or password from a file, but not if other users have access`() throws {
    let (urlFile, password) = (try TemporaryFile("\(url)\n# more\n"), try TemporaryFile("hunter2\r\n"))
    let bare = url.replacing("keeper:hunter2@", with: "")
    let ways = [
      ["--url-file", urlFile.path], ["-u", bare, "--username", "keeper", "--password-file", password.path],
    ]
    for (file, arguments) in zip([urlFile, password], ways) {
      for mode in [0o600, 0o400] {
        try #require(chmod(file.path, mode_t(mode)) == 0)
        let good = try Program.workq(["publish", "-q", queue, "x"] + arguments).run()
        #expect(good.status == 0, "\(good.error)")
        #expect(good.error == "", "\(good.error)")
      }
      for mode in [0o644, 0o604, 0o622] {
        try #require(chmod(file.path, mode_t(mode)) == 0)
        let bad = try Program.workq(["publish", "-q", queue, "x"] + arguments).run()
        #expect(bad.status == 66)
        let reason = "others may read '\(file.path)', which holds a secret: chmod 600 it"
        #expect(bad.error == "workq: \(reason)\n")
      }
    }
    try expectWaiting(in: queue, equals: 4)
  }

  @Test func `publish reads the URL and password from files whose names are not UTF-8`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "workq-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let script = #"""
      mkdir "$2" && cd "$2" && umask 077 && name=$(printf 'caf\351') || exit
      printf %s "$3" >"$name.url" && printf hunter2 >"$name.password" || exit
      "$0" publish -q "$1" --url-file "$name.url" x && "$0" publish -q "$1" --url-file "$name.url" \
        --username keeper --password-file "$name.password" x || exit
      "$0" publish -q "$1" --url-file "$name" x
      """#
    let result = try shell(script, queue, directory, url).run()
    #expect(result.status == 66, "\(result.error)")
    #expect(result.error == "workq: cannot read 'caf\u{fffd}': No such file or directory\n")
    try expectWaiting(in: queue, equals: 2)
  }

  @Test(
    .enabled(if: geteuid() == 0, "only root may give a file away"),
    arguments: [(0, 0o640, true), (0, 0o620, false), (64_998, 0o600, true), (64_998, 0o640, false)]
      as [(uid_t, mode_t, Bool)])
  func `a group may read a secret file only if root owns it`(owner: uid_t, mode: mode_t, isGood: Bool)
    throws
  {
    let file = try TemporaryFile(url)
    try #require(chown(file.path, owner, 0) == 0)
    try #require(chmod(file.path, mode) == 0)
    let result = try Program.workq("publish", "-q", queue, "--url-file", file.path, "x").run()
    #expect(result.status == (isGood ? 0 : 66), "\(result.error)")
    #expect(result.error.contains("others may read") == !isGood, "\(result.error)")
  }

  @Test(arguments: [
    "--url-file <(echo \"$3\")",
    // The password is read once for all nodes.
    "-u amqp://127.0.0.1:1,${3/keeper:hunter2@/} --username keeper --password-file <(echo hunter2)",
  ])
  func `publish reads the URL or password from a pipe`(source: String) throws {
    let script = "exec \"$1\" publish -q \"$2\" \(source) x"
    let result = try Program("/bin/bash", ["-c", script, "bash", TestEnvironment.binary, queue, url]).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error == "", "\(result.error)")
  }

  @Test(arguments: [
    ("", "is empty"), ("\nhunter2\n", "is empty"), ("hunter2", "begins neither with amqp://"),
    (String(repeating: "x", count: 70_000), "is too long"), ("amqp://u:hunter2\0@h", "is not UTF-8 text"),
  ])
  func `publish refuses an invalid URL file without printing its text`(text: String, reason: String) throws {
    let file = try TemporaryFile(text)
    try #require(chmod(file.path, 0o600) == 0)
    let result = try Program.workq("publish", "--url-file", file.path, "x").run()
    #expect([64, 66].contains(result.status), "\(result.error)")
    #expect(result.error.contains(reason), "\(result.error)")
    #expect(!result.error.contains("hunter2"))
  }

  @Test func `publish refuses --url together with --url-file`() throws {
    let result = try Program.workq("publish", "-u", "amqp://h", "--url-file", "f", "x").run()
    #expect(result.status == 64)
    #expect(result.error.contains("--url and --url-file exclude each other"))
  }

  // MARK: Arguments and environments

  private static let warning =
    "workq: other users can see the password in --url: better have it in WORKQ_URL or --url-file\n"

  @Test func `publish warns once about a password in its arguments`() throws {
    let second = url.replacing("keeper", with: "guest")
    let twice = try Program.workq("publish", "-u", url, "-u", second, "-q", queue, "x").run()
    #expect(twice.status == 0)
    #expect(twice.error == Self.warning)
    let parsed = try Program.workq("publish", "-v", "--url=\(url)", "-q", queue, "x").run()
    #expect(parsed.status == 0)
    #expect(parsed.error.ranges(of: Self.warning).count == 1)
    let quiet = try Program.workq("publish", "--quiet", "-u", url, "-q", queue, "x").run()
    #expect(quiet.status == 0)
    #expect(quiet.error == "")
    for harmless in [Broker.shared.url, "amqp://127.0.0.1:\(Broker.shared.port)"] {
      let result = try Program.workq("publish", "-u", harmless, "-q", queue, "x").run()
      #expect(result.status == 0)
      #expect(result.error == "")
    }
    var program = Program.workq("publish", "-q", queue, "x")
    program.environment["WORKQ_URL"] = url
    let silent = try program.run()
    #expect(silent.status == 0)
    #expect(silent.error == "")
  }

  @Test(arguments: [["-u"], ["--url"], ["--uri="], ["-u", "amqp://127.0.0.1:1", "--url"]])
  func `the worker overwrites the password in its arguments before the first task`(option: [String]) throws {
    let options =
      option.last?.hasSuffix("=") == true ? [(option.last ?? "") + url] : option + [url]
    let worker = try Program.workq(["work", "--fake", "-v", "-q", queue] + options).start()
    try worker.waitForOutput("Waiting for messages")
    let listing = contents(of: "/proc/\(worker.pid)/cmdline")
    #expect(!listing.contains("hunter2"), "\(listing)")
    #expect(listing.contains("keeper:xxxxxxx@127.0.0.1"), "\(listing)")
    #expect(listing.hasSuffix("\0"))
    worker.signal(SIGTERM)
    try expect(worker.end().status, equals: 0)
  }

  @Test(arguments: [true, false])
  func `a command gets the URL and password only with --pass-url`(isWanted: Bool) throws {
    try #require(try Program.workq("publish", "-q", queue, "task").run().status == 0)
    let script = "tr '\\0' '\\n' </proc/self/environ; tr '\\0' '\\n' </proc/$PPID/cmdline; env"
    let options = isWanted ? ["--pass-url"] : []
    for variable in ["WORKQ_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"] {
      try #require(try Program.workq("publish", "-q", queue, "task").run().status == 0)
      var program = Program.workq(
        ["work", "-q", queue, "--drain", "-v"] + options + ["--", "sh", "-c", script])
      program.environment["AMQP_URL"] = nil
      program.environment[variable] = url
      // A variable that workq does not read its URL from belongs to the command.
      if variable == "WORKQ_URL" { program.environment["AMQP_URL"] = "amqp://mine" }
      let result = try program.run()
      #expect(result.status == 0, "\(result.error)")
      #expect(result.output.contains("WORKQ_QUEUE=\(queue)"), "\(result.error)")
      #expect(result.output.contains("\(variable)=\(url)") == isWanted)
      #expect((result.output + result.error).contains("hunter2") == isWanted)
      #expect(result.output.contains("AMQP_URL=amqp://mine") == (variable == "WORKQ_URL"))
    }
  }

  // MARK: Files and messages

  @Test func `neither the spool nor a parked task contains the password`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "workq-\(queue)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var away = Program.workq("publish", "-v", "--spool=\(directory)", "-q", queue, "task")
    away.environment["WORKQ_URL"] = "amqp://keeper:hunter2@127.0.0.1:1"
    let kept = try away.run()
    #expect(kept.status == 0, "\(kept.error)")
    #expect(!kept.error.contains("hunter2"), "\(kept.error)")
    let files = try FileManager.default.subpathsOfDirectory(atPath: directory)
    #expect(!files.isEmpty)
    for file in files {
      #expect(!file.contains("hunter2"), "\(file)")
      #expect(!contents(of: "\(directory)/\(file)").contains("hunter2"), "\(file)")
    }
    var sent = Program.workq("publish", "--flush-spool", "--spool=\(directory)")
    sent.environment["WORKQ_URL"] = url
    try expect(sent.run().status, equals: 0)
    var work = worker(queue, ["--drain", "--on-failure", "park"], script: "exit 7")
    work.environment["WORKQ_URL"] = url
    try expect(work.run().status, equals: 1)
    let parked = try drain("\(queue).failed")
    #expect(parked.count == 1)
    #expect(!"\(parked)".contains("hunter2"))
  }

  @Test func `error messages do not contain the password`() throws {
    let port = Broker.shared.port
    let places = [
      "hunter2@127.0.0.1:\(port)/nope", "hunter2@127.0.0.1:1", "hunter2@127.0.0.1:\(port)?wait=1",
      "hunter2@no-such-host.invalid", "hunter2@127.0.0.1:x", "hun%zzter2@h", "hunter2?x@h", "hunter2 @h",
      "hunter2#@h", "hunter2@127.0.0.1:1,amqp://v:hunter2@127.0.0.1:2",
    ]
    let commands = [["publish", "x"], ["work"], ["status"], ["peek"], ["move", "a", "b"], ["declare"]]
    for place in places {
      for scheme in ["amqp", "amqps"] {
        for command in commands {
          var program = Program.workq(command + ["--verbose", "--json"])
          program.environment["WORKQ_URL"] = "\(scheme)://wrong:\(place)"
          let result = try program.run()
          let said = result.error + result.output
          #expect(result.status != 0, "\(said)")
          #expect(!said.contains("hunter2"), "\(said)")
          #expect(!said.contains("ter2"), "\(said)")
        }
      }
    }
  }
}
