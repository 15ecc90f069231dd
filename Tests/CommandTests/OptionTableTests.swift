import AMQP
import TestSupport
import Testing
import WorkQueue

@testable import workq

/// Properties of the option tables that the parser, the help, the man pages and the completions rely on.
@Suite(.units) struct OptionTableTests {
  /// The option table of a subcommand.
  private static func options(_ name: String) throws -> [Option] {
    try #require(Subcommand.named(name)).options
  }

  @Test(arguments: Subcommand.names)
  func `a subcommand's option names are unique and ASCII`(subcommand: String) throws {
    let names = try Self.options(subcommand).flatMap(\.names)
    #expect(names.count == Set(names).count)
    #expect(names.allSatisfy { $0.utf8.allSatisfy { (0x2d...0x7a).contains($0) } })
  }

  /// The settings after one option is applied; nil when the option refuses the value.
  private static func settings(_ option: Option, _ value: String?) -> Settings? {
    var settings = Settings()
    do throws(UsageError) {
      try option.apply(&settings, value)
      return settings
    } catch {
      return nil
    }
  }

  @Test(arguments: Subcommand.names)
  func `an option's printed default equals the setting without the option`(subcommand: String) throws {
    for option in try Self.options(subcommand) where !option.defaultValue.isEmpty {
      switch option.long {
      // These defaults are derived from other values, or apply to the option without a value.
      case "url", "queue", "spool", "dead-letter": break
      case "watch":
        let (bare, given) = (Self.settings(option, nil), Self.settings(option, option.defaultValue))
        #expect(bare == given)
      // This option also implies `--fake`.
      case "dot": #expect(Self.settings(option, option.defaultValue)?.work.dot == WorkSettings().dot)
      default: #expect(Self.settings(option, option.defaultValue) == Settings(), "\(option.long)")
      }
    }
    try expect(ConnectionSettings().queueName(), equals: "task_queue")
  }

  @Test(arguments: Subcommand.names)
  func `an option accepts every value that completion offers, and lists them when it refuses another`(
    subcommand: String
  ) throws {
    for option in try Self.options(subcommand) {
      guard case .values(let values) = option.completion else { continue }
      for value in values {
        let isAccepted = Self.settings(option, value) != nil
        #expect(isAccepted, "--\(option.long) \(value)")
        #expect("\(option.summary) \(option.details)".contains(value), "--\(option.long) \(value)")
      }
      let typed = option.needsValue ? ["--\(option.long)", "odd"] : ["--\(option.long)=odd"]
      let failure = #expect(throws: Failure.self) { try Invocation.parse([subcommand] + typed) }
      let list = "\(values.dropLast().joined(separator: ", ")) or \(values.last ?? "")"
      #expect(failure?.message == "--\(option.long): invalid value 'odd' (use \(list))")
    }
  }

  /// The file paths in the settings.
  private static func paths(in settings: Any) -> [FilePath] {
    if let path = settings as? FilePath { return [path] }
    return Mirror(reflecting: settings).children.flatMap { paths(in: $0.value) }
  }

  @Test(arguments: Subcommand.names)
  func `an option that takes a path keeps bytes that are not UTF-8`(subcommand: String) throws {
    let bytes = Array("caf".utf8) + [0xe9]
    for option in try Self.options(subcommand) {
      switch option.completion {
      case .file, .directory:
        let settings = try #require(Self.settings(option, RawArguments.text(of: bytes)))
        #expect(Self.paths(in: settings) == [FilePath(bytes: bytes)], "--\(option.long)")
      case .none, .values: break
      }
    }
  }

  @Test(arguments: Subcommand.names)
  func `option summaries are one line without a full stop; details are sentences`(subcommand: String) throws {
    for option in try Self.options(subcommand) {
      #expect(option.summary.first?.isUppercase == true, "\(option.long)")
      #expect(!option.summary.hasSuffix("."), "\(option.long)")
      #expect(!option.summary.contains("\n"), "\(option.long)")
      for paragraph in option.details.split(separator: "\n") {
        #expect(paragraph.hasSuffix("."), "\(option.long): \(paragraph)")
        #expect(paragraph.count { $0 == "`" }.isMultiple(of: 2), "\(option.long): \(paragraph)")
      }
    }
  }

  @Test(arguments: [nil] + Subcommand.names)
  func `-h prints at most 40 lines and the number of options that only --help shows`(name: String?) throws {
    let subcommand = name.flatMap(Subcommand.named)
    let lines = Help.text(subcommand, isShort: true).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count <= 40)
    for line in lines { #expect(line.count <= 80, "\(line)") }
    guard let name, let subcommand else { return }
    let shown = lines.count { $0.hasPrefix("  -") || $0.hasPrefix("      --") }
    #expect(shown >= 8)
    #expect(
      lines.last
        == "\(subcommand.options.count - shown) more options, and all of them in full: workq \(name) --help")
  }

  @Test(arguments: Subcommand.names)
  func `--help describes every option, with its details, in table order and within 80 columns`(
    name: String
  ) throws {
    let subcommand = try #require(Subcommand.named(name))
    let text = Help.text(subcommand, isShort: false)
    for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    let headings = text.split(separator: "\n").filter { $0.hasPrefix("  -") }.map { String($0.dropFirst(2)) }
    #expect(headings == subcommand.options.map(\.heading))
    let prose = text.split { $0 == " " || $0 == "\n" }.joined(separator: " ")
    for option in subcommand.options {
      let details = Prose.plain(option.details).split { $0 == " " || $0 == "\n" }.joined(separator: " ")
      #expect(prose.contains(details), "\(option.long)")
      #expect(prose.contains(Prose.plain(option.summary)), "\(option.long)")
    }
  }

  // MARK: Syntax

  @Test(arguments: [
    (["-q", "a"], "a"), (["-qa"], "a"), (["--queue=a"], "a"), (["--queue", "a"], "a"), (["-q", "-x"], "-x"),
    (["-q-x"], "-x"), (["--queue", "--"], "--"), (["--queue=-x"], "-x"), (["-vqa"], "a"),
    (["-vq", "a"], "a"),
    (["-q", "a", "-qa"], "a"), (["--queue=a=b"], "a=b"), (["-q", ""], ""), (["--queue="], ""),
  ])
  func `accepts an option's value in the same or the next argument`(arguments: [String], queue: String) throws
  {
    for line in [
      ["publish"] + arguments + ["x"], ["publish", "x"] + arguments, arguments + ["publish", "x"],
    ] {
      let settings = try CommandLines.settings(line)
      #expect(settings.connection.queue == queue, "\(line)")
      #expect(settings.operands == ["x"], "\(line)")
    }
  }

  @Test func `uses the last value of an option, and all values of a repeatable option`() throws {
    let settings = try CommandLines.settings(
      ["work", "-j2", "-j", "4", "--timeout=1s", "--timeout", "2s", "-u", "amqp://a", "-uamqp://b"])
    #expect(settings.work.jobs == 4)
    #expect(settings.work.timeout == .seconds(2))
    #expect(settings.connection.urls == ["amqp://a", "amqp://b"])
  }

  @Test func `treats all arguments after -- as operands`() throws {
    try expect(
      CommandLines.settings(["publish", "a", "--", "-l", "--"]).operands, equals: ["a", "-l", "--"])
    try expect(CommandLines.settings(["work", "--", "a", "--", "-b"]).operands, equals: ["a", "--", "-b"])
    try expect(CommandLines.settings(["publish", "-", "x"]).operands, equals: ["-", "x"])
  }

  @Test func `keeps a leading equals sign in a short option's value`() throws {
    let settings = try CommandLines.settings(["publish", "-D=", "-C==x", "-e=e", "-vr=k"])
    #expect(settings.publish.input.separator == [UInt8(ascii: "=")])
    #expect(settings.publish.properties.contentType == "==x")
    #expect(settings.publish.delivery.exchange == "=e")
    #expect(settings.publish.delivery.routingKey == "=k")
  }

  /// workq 1.0 accepted the values of `--watch` and `--dead-letter` as separate arguments.
  @Test func `accepts an optional value after =, and separately only for --watch and --dead-letter`() throws {
    let bare = try CommandLines.settings(["publish", "--spool", "x"])
    #expect(bare.publish.spool == SpoolSettings(isUsed: true))
    #expect(bare.operands == ["x"])
    let named = try CommandLines.settings(["publish", "--spool=/a=b", "--", "--spool=x"])
    #expect(named.publish.spool == SpoolSettings(isUsed: true, directory: "/a=b"))
    #expect(named.operands == ["--spool=x"])
    let watches: [([String], Duration, [String])] = [
      (["--watch"], .seconds(2), []), (["--watch", "5s", "q"], .seconds(5), ["q"]),
      (["--watch", "q"], .seconds(2), ["q"]), (["--watch=1m", "7"], .seconds(60), ["7"]),
    ]
    for (arguments, interval, queues) in watches {
      let settings = try CommandLines.settings(["status"] + arguments)
      #expect(settings.status.interval == interval, "\(arguments)")
      #expect(settings.operands == queues, "\(arguments)")
    }
    let letters: [([String], String?, [String])] = [
      (["--dead-letter"], nil, []), (["--dead-letter", "d", "q"], "d", ["q"]),
      (["--dead-letter", "--durable", "q"], nil, ["q"]), (["--dead-letter=-d"], "-d", []),
    ]
    for (arguments, name, queues) in letters {
      let settings = try CommandLines.settings(["declare"] + arguments)
      #expect(settings.declare.queue.deadLetter == QueueSettings.DeadLetter(name: name), "\(arguments)")
      #expect(settings.operands == queues, "\(arguments)")
    }
  }

  @Test(arguments: [
    (["publish", "-q=mail", "x"], "'-q=mail' is ambiguous (use -q mail or --queue=mail)"),
    (["publish", "-vq=mail", "x"], "'-q=mail' is ambiguous (use -q mail or --queue=mail)"),
    (
      ["-j4", "work"],
      "'-j' is an option of work (use 'workq work -j'; only connection and output options go before the subcommand)"
    ),
    (
      ["-v", "--count", "1", "peek"],
      "'--count' is an option of peek (use 'workq peek --count'; only connection and output options go before the "
        + "subcommand)"
    ),
    (
      ["-c1"],
      "'-c' is an option of work, retry, peek, move (use 'workq work -c'; only connection and output options go before "
        + "the subcommand)"
    ),
    (["--priority", "5", "work"], "unknown option '--priority' (see 'workq --help')"),
    (["publish", "-q"], "-q needs a value: -q <name> (see 'workq publish --help')"),
    (["publish", "--lines=3"], "--lines takes no value (see 'workq publish --help')"),
    (
      ["publish", "--prio", "3"],
      "unknown option '--prio'; did you mean '--priority'? (see 'workq publish --help')"
    ),
    (["work", "--format", "x"], "unknown option '--format' (see 'workq work --help')"),
    (["work", "-j4x"], "--jobs: invalid number '4x' (use 1 to 10000)"),
    (["work", "--timeout", "5x"], "--timeout: invalid duration '5x' (use 500ms, 30s, 5m, 2h or 1d)"),
    (["work", "--prefetch=-1"], "--prefetch: invalid number '-1' (use 0 to 65535)"),
    (
      ["work", "--on-exit", "256=ack"],
      "--on-exit: invalid value '256=ack' (use STATUS=ack, retry, requeue, park or drop, with a STATUS from 0 to 255)"
    ),
    (
      ["publish", "-v", "--quiet", "x"],
      "--verbose and --quiet exclude each other (see 'workq publish --help')"
    ),
    (["work", "-q", "a", "-q", "b"], "--queue: two different queues, 'a' and 'b' (give one)"),
    (["-q", "a", "work", "-q", "b"], "--queue: two different queues, 'a' and 'b' (give one)"),
    (["--json"], "no subcommand was given (see 'workq --help')"),
    (["work", "--"], "after '--' there is no command (see 'workq work --help')"),
  ])
  func `a usage error is one line with the problem and a remedy`(arguments: [String], message: String) {
    let failure = #expect(throws: Failure.self) { try Invocation.parse(arguments) }
    #expect(failure?.message == message)
    #expect(failure?.status == .usage)
  }

  @Test(
    arguments: [
      (["--fake", "--", "cat"], "--fake and --dot fake the work: they exclude a command"),
      (["--dot", "1s", "--shell"], "--fake and --dot fake the work: they exclude --shell"),
      (["-I", "--shell"], "--replace and --shell exclude each other"),
      (["-I"], "--replace needs a command, after '--'"),
      (["-I", "--", "sh", "-c", "echo {}"], "code of sh -c"),
      (["-I", "--", "/bin/bash", "-ec", "{}"], "code of bash -c"),
      (["-I", "--", "env", "A=b", "dash", "-e", "-c", "{}"], "code of dash -c"),
      (["-I", "--", "fish", "--command", "{}"], "code of fish -c"),
      (["-I", "--", "sh", "script", "{}"], nil), (["-I", "--", "sh", "-e", "script", "-c", "{}"], nil),
      (["--replace", "--argument", "--", "convert", "-c", "{}"], nil), (["--fake"], nil),
      (["--dot", "2s"], nil), (["--retry-by", "broker", "--fake"], nil),
      (["--retry-by", "broker", "--max-attempts", "15", "--", "cat"], nil),
      (
        ["--retry-by", "broker", "--max-attempts", "16", "--", "cat"], "limited by the queue's delivery limit"
      ),
      (["--retry-by", "broker", "--max-attempts", "0", "--", "cat"], "use --max-attempts 1 to 15"),
      (["--retry-by", "copy", "--max-attempts", "0", "--", "cat"], nil),
      (["--retry-by", "broker", "--on-failure", "requeue", "--", "cat"], "exclude each other"),
      (["--retry-by", "broker", "--on-exit", "3=requeue", "--", "cat"], "exclude each other"),
      (["--retry-by", "broker", "--no-ack", "--", "cat"], "--no-ack exclude each other"),
      (["--retry-by", "broker", "--retry-delay", "1s", "--", "cat"], "use workq declare --retry-delay"),
      (["--retry-by", "broker", "--drain", "--wait-for-retries", "--", "cat"], "--wait-for-retries"),
      (["--retry-by", "broker", "--drain", "--fail-on-retry", "--", "cat"], "--fail-on-retry"),
    ] as [([String], String?)])
  func `work refuses contradictory options and accepts compatible ones`(options: [String], reason: String?) {
    do {
      _ = try CommandLines.settings(["work"] + options)
      #expect(reason == nil)
    } catch {
      #expect(error.status == .usage)
      #expect(error.message.contains(reason ?? "nothing"), "\(error.message)")
    }
  }

  @Test func `work requires a command, --shell, --fake or --dot, except for the tutorial's queue`() throws {
    let asked = try CommandLines.settings(["work", "--fake"]).work
    let dots = try CommandLines.settings(["work", "--dot", "10ms"]).work
    let shell = try CommandLines.settings(["work", "--shell"]).work
    for work in [asked, dots, shell] {
      #expect(throws: Never.self) { try work.checkFaking(of: "mail", []) }
    }
    #expect(throws: Never.self) { try WorkSettings().checkFaking(of: "task_queue", []) }
    #expect(throws: Never.self) { try WorkSettings().checkFaking(of: "mail", ["cat"]) }
    let error = #expect(throws: UsageError.self) { try WorkSettings().checkFaking(of: "mail", []) }
    #expect(error?.reason == "without a command, the tasks of 'mail' would be acknowledged and lost")
    #expect(error?.advice?.contains("--fake") == true)
  }

  @Test func `finds a command in PATH or by its path, and reports why it cannot run`() {
    for program in ["sh", "/bin/sh", "cat"] {
      #expect(throws: Never.self) { try CommandLookup.check(program) }
    }
    let missing: [(String, String)] = [
      ("/no/such/command", "cannot run '/no/such/command': No such file or directory"),
      ("no-such-command", "cannot run 'no-such-command': No such file or directory"),
      ("/etc/passwd", "cannot run '/etc/passwd': Permission denied"),
      ("/", "cannot run '/': Permission denied"),
      ("", "cannot run '': No such file or directory"),
      (
        "convert a | b",
        "cannot run 'convert a | b': No such file or directory (one word is one argument: --shell runs tasks as "
          + "command lines, sh -c 'LINE' one line for all)"
      ),
    ]
    for (program, message) in missing {
      let failure = #expect(throws: Failure.self) { try CommandLookup.check(program) }
      #expect(failure?.status == .configuration)
      #expect(failure?.message == message)
    }
  }

  @Test func `refuses a queue argument that differs from --queue`() throws {
    var connection = ConnectionSettings()
    connection.queue = "a"
    try expect(connection.queueNames(["a"]), equals: ["a"])
    try expect(connection.queueNames([]), equals: ["a"])
    let failure = #expect(throws: Failure.self) { try connection.queueNames(["b"]) }
    #expect(failure?.status == .usage)
  }

  @Test(
    arguments: [
      (["-h"], nil, true), (["--help"], nil, false), ([], nil, true), (["help"], nil, false),
      (["help", "work"], "work", false), (["work", "-h"], "work", true), (["work", "--help"], "work", false),
      (["-v", "work", "-vh", "--bogus"], "work", true),
    ] as [([String], String?, Bool)])
  func `recognizes each way to request help`(arguments: [String], name: String?, isShort: Bool) throws {
    guard case .help(let subcommand, isShort: let short) = try Invocation.parse(arguments) else {
      Issue.record("\(arguments)")
      return
    }
    #expect(subcommand?.name == name)
    #expect(short == isShort)
  }
}
