import AMQP
import TestSupport
import Testing
import WorkQueue

@testable import workq

@Suite(.units) struct DeclareOptionsTests {
  private func parsed(_ options: [String]) throws -> QueueSettings {
    try CommandLines.settings(["declare"] + options).declare.queue
  }

  private func queue(_ options: String...) throws -> Queue? {
    try parsed(options).queue(named: "q")
  }

  @Test func `declare leaves a queue's properties unspecified when no option sets them`() throws {
    try expect(queue(), equals: nil)
    try expect(queue("--durable"), equals: Queue(name: "q"))
    try expect(queue("--transient")?.isDurable, equals: false)
    try expect(queue("--auto-delete")?.isAutoDelete, equals: true)
  }

  @Test(
    arguments: [
      (["--type", "quorum"], ["x-queue-type": .text("quorum")]),
      (["--max-length", "5"], ["x-max-length": .int64(5)]),
      (["--max-bytes", "64k"], ["x-max-length-bytes": .int64(65_536)]),
      (["--overflow", "reject-publish"], ["x-overflow": .text("reject-publish")]),
      (["--message-ttl", "1.5s"], ["x-message-ttl": .int64(1500)]),
      (["--expires", "1h"], ["x-expires": .int64(3_600_000)]),
      (["--max-priority", "10"], ["x-max-priority": .int64(10)]),
      (["--delivery-limit", "0"], ["x-delivery-limit": .int64(0)]),
      (["--single-active-consumer"], ["x-single-active-consumer": .boolean(true)]),
      (["--consumer-timeout", "2h"], ["x-consumer-timeout": .int64(7_200_000)]),
      (
        ["--type", "quorum", "--retry-delay", "10s"],
        [
          "x-queue-type": .text("quorum"), "x-delayed-retry-type": .text("failed"),
          "x-delayed-retry-min": .int64(10_000), "x-delayed-retry-max": .int64(3_600_000),
        ]
      ),
      (
        ["--type", "quorum", "--retry-delay", "500ms", "--retry-max-delay", "1m"],
        [
          "x-queue-type": .text("quorum"), "x-delayed-retry-type": .text("failed"),
          "x-delayed-retry-min": .int64(500), "x-delayed-retry-max": .int64(60_000),
        ]
      ),
      (["--arg", "a=5", "--arg", "b:=5"], ["a": .text("5"), "b": .int64(5)]),
      (
        ["--dead-letter"],
        ["x-dead-letter-exchange": .text(""), "x-dead-letter-routing-key": .text("q.failed")]
      ),
      (
        ["--dead-letter", "dead", "--durable"],
        ["x-dead-letter-exchange": .text(""), "x-dead-letter-routing-key": .text("dead")]
      ),
    ] as [([String], FieldTable)])
  func `declare maps options to queue arguments and back`(options: [String], arguments: FieldTable) throws {
    let queue = try #require(try parsed(options).queue(named: "q"))
    #expect(queue.arguments == arguments)
    #expect(queue.isDurable)
    // The options that the message about a mismatch shows describe the same queue.
    try expect(parsed(QueueSettings.options(for: queue)).queue(named: "q"), equals: queue)
  }

  @Test func `describes a plain durable queue by --durable, and an unknown argument by --arg`() {
    #expect(QueueSettings.options(for: Queue(name: "q")) == ["--durable"])
    var queue = Queue(name: "q")
    (queue.isDurable, queue.isAutoDelete) = (false, true)
    queue.arguments = ["x-dead-letter-exchange": .text("e"), "x-odd": .text("it's")]
    #expect(
      QueueSettings.options(for: queue) == [
        "--transient", "--auto-delete", "--arg", "x-dead-letter-exchange=e", "--arg", #"'x-odd=it'\''s'"#,
      ])
  }

  @Test(
    arguments: [
      ["x-dead-letter-exchange": .text("e")],
      ["x-dead-letter-exchange": .text("e"), "x-dead-letter-routing-key": .text("k")],
      ["x-overflow": .text("reject-publish-dlx")],
      [
        "x-queue-type": .text("quorum"), "x-delayed-retry-type": .text("all"),
        "x-delayed-retry-min": .int64(1000),
      ],
      ["x-delayed-retry-type": .text("failed"), "x-delayed-retry-min": .int64(1000)],
      ["x-single-active-consumer": .boolean(false)],
    ] as [FieldTable])
  func `describes arguments by --arg when no option sets just these`(arguments: FieldTable) throws {
    var queue = Queue(name: "q")
    queue.arguments = arguments
    let options = QueueSettings.options(for: queue)
    #expect(options.contains("--arg"))
    try expect(parsed(options).queue(named: "q"), equals: queue)
  }

  @Test(
    arguments: [
      (["--consumer-timeout", "1h"], "3.10", "ignores --consumer-timeout"),
      (["--consumer-timeout", "1h"], "3.12", nil),
      (["--type", "quorum", "--dead-letter", "--retry-delay", "10s"], "4.2", "ignores --retry-delay"),
      (["--type", "quorum", "--dead-letter", "--retry-delay", "10s"], "4.3", nil),
      (["--consumer-timeout", "1h"], "4.3", "on quorum queues only"),
      (["--consumer-timeout", "1h", "--type", "quorum", "--dead-letter"], "4.3", nil),
      (["--max-priority", "3", "--type", "quorum"], "3.13", "they came with 4.0"),
      (["--max-priority", "3", "--type", "quorum", "--dead-letter"], "4.0", "without --max-priority"),
      (["--max-priority", "3"], "3.10", nil), (["--transient"], "4.2", nil),
      (["--transient"], "4.3", nil),
      (["--message-ttl", "1s", "--type", "quorum"], "3.9", "no --message-ttl on quorum"),
      (["--message-ttl", "1s", "--type", "quorum"], "3.10", nil),
      (["--type", "quorum"], "3.13", nil), (["--type", "quorum", "--dead-letter"], "4.0", nil),
      (["--type", "quorum"], "4.0", "returned more than 20 times"),
      (["--type", "quorum"], "4.3", "returned more than 20 times"),
      (["--type", "quorum", "--delivery-limit", "20"], "4.0", nil), (["--delivery-limit", "5"], "4.0", nil),
      (["--type", "quorum", "--delivery-limit", "5"], "3.10", "drops a task that is returned more often"),
      (
        ["--type", "quorum", "--delivery-limit", "5", "--dead-letter"], "4.2", "looks (workq peek) count, too"
      ),
      (["--type", "quorum", "--delivery-limit", "5"], "4.3", "rejected, or whose worker dies"),
      (["--type", "stream"], "3.8", "no streams"), (["--type", "stream"], "3.9", nil),
      (["--overflow", "reject-publish"], "3.10", "up to 3 min late"),
      (
        ["--overflow", "reject-publish", "--max-length", "9", "--type", "quorum", "--dead-letter"], "4.3",
        "late"
      ),
      (["--overflow", "drop-head"], "3.10", nil),
    ] as [([String], String, String?)])
  func `the advice depends on the broker's version`(options: [String], version: String, note: String?) throws
  {
    let queue = try #require(try parsed(options).queue(named: "q"))
    let broker = try #require(BrokerVersion(broker: "RabbitMQ \(version).0"))
    let notes = DeclareAdvice.notes(for: queue, on: broker)
    if let note {
      #expect(notes.count == 1, "\(notes)")
      #expect(notes.first?.contains(note) == true, "\(notes)")
    } else {
      #expect(notes == [])
    }
  }

  @Test(arguments: [
    ["--max-length", "9"], ["--max-bytes", "9k"], ["--max-length", "9", "--type", "classic"],
  ])
  func `warns that a classic queue with reject-publish and a limit drops tasks`(options: [String]) throws {
    let broker = try #require(BrokerVersion(broker: "RabbitMQ 4.3.0"))
    let rejecting = try #require(try parsed(options + ["--overflow", "reject-publish"]).queue(named: "q"))
    let notes = DeclareAdvice.notes(for: rejecting, on: broker)
    #expect(
      notes.contains { $0.contains("drops the oldest tasks") && $0.contains("--type quorum") }, "\(notes)")
    let dropping = try #require(try parsed(options).queue(named: "q"))
    #expect(DeclareAdvice.notes(for: dropping, on: broker) == [])
  }

  @Test(
    arguments: [
      (["--retry-delay", "1s"], "add --type quorum"),
      (["--retry-delay", "1s", "--type", "classic"], "add --type quorum"),
      (["--retry-max-delay", "1s", "--type", "quorum"], "give that, too"),
      (["--retry-delay", "2s", "--retry-max-delay", "1s", "--type", "quorum"], "shorter than --retry-delay"),
    ])
  func `declare refuses retry delays that are unsupported or contradictory`(options: [String], reason: String)
  {
    let failure = #expect(throws: Failure.self) { try parsed(options) }
    #expect(failure?.status == .usage)
    #expect(failure?.message.contains(reason) == true, "\(failure?.message ?? "")")
  }

  @Test func `parses a binding as EXCHANGE:KEY, where the key may be empty or contain colons`() {
    #expect(Declare.Binding(argument: "logs:a:b.#")?.exchange == "logs")
    #expect(Declare.Binding(argument: "logs:a:b.#")?.key == "a:b.#")
    #expect(Declare.Binding(argument: "fan:")?.key == "")
  }

  @Test(
    arguments: [
      ("512", 512), ("64k", 65_536), ("16M", 16 << 20), ("2G", 2 << 30), ("0", 0), ("1K", 1024),
      ("9999999999G", nil), ("", nil), ("k", nil), ("-1", nil), ("1.5k", nil), ("1kb", nil), ("1 k", nil),
    ] as [(String, Int64?)])
  func `parses size suffixes as powers of 1024, and refuses an invalid size`(text: String, bytes: Int64?) {
    #expect(SizeArgument(argument: text)?.bytes == bytes)
  }
}

@Suite(.units) struct TypedValueTests {
  @Test(
    arguments: [
      ("k=v", "k", .text("v")), ("k=", "k", .text("")), ("k=a:=b", "k", .text("a:=b")),
      ("k:=5", "k", .int64(5)), ("k:=9223372036854775807", "k", .int64(.max)),
      ("k:=-9223372036854775808", "k", .int64(.min)), ("k:=1e19", "k", .double(1e19)),
      ("k:=-5", "k", .int64(-5)), ("k:=true", "k", .boolean(true)), ("k:=1.5", "k", .double(1.5)),
      ("K: V w", "K", .text("V w")), ("K:   V", "K", .text("V")), ("K: a=b", "K", .text("a=b")),
      ("k=5", "k", .text("5")), ("k=true", "k", .text("true")),
    ] as [(String, String, FieldValue)])
  func `the separator determines whether a value is text`(text: String, name: String, value: FieldValue) {
    let typed = TypedValue(argument: text)
    #expect(typed?.name == name)
    #expect(typed?.value == value)
  }

  @Test(arguments: [
    "", "k", "=v", ":=5", ": v", "k:v", "k:=", "k:=x", "k:=inf", "k:=0x5", "k:=1e999",
    "k:=9223372036854775808", "k:=18446744073709551615", "k:=-9223372036854775809",
    "k:=123456789012345678901234567890",
  ])
  func `refuses a malformed name-value pair or an unrepresentable number`(text: String) {
    #expect(TypedValue(argument: text) == nil)
  }

  @Test func `keeps a value that is not UTF-8 as bytes`() {
    let argument = RawArguments.text(of: Array("k=".utf8) + [0xff])
    #expect(TypedValue(argument: argument)?.value == .octets([0xff]))
  }
}
