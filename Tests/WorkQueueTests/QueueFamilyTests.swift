import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct MovedMessageTests {
  private var parked: Message {
    var message = Message(body: [1, 2])
    message.properties.messageID = "id"
    message.properties.userID = "alice"
    message.properties.expiration = "60000"
    message.properties.deliveryMode = .transient
    message.properties.headers = [
      "mine": .int32(5), "x-death": .array([]), "x-first-death-queue": .text("q"),
      "x-workq-attempts": .int64(5),
      "x-last-death-reason": .text("r"), "x-workq-reason": .text("exit status 1"), "CC": .array([.text("k")]),
      "x-delivery-count": .int64(2), "x-workq-exchange": .text("e"), "x-workq-routing-key": .text("k"),
    ]
    return message
  }

  @Test func `a moved task keeps its properties, and loses its user ID and its failure headers`() {
    let copy = parked.moved(keepsAttempts: false)
    #expect(copy.body == [1, 2])
    #expect(copy.properties.messageID == "id")
    #expect(copy.properties.expiration == "60000")
    #expect(copy.properties.deliveryMode == .transient)
    #expect(copy.properties.userID == nil)
    #expect(
      copy.properties.headers == [
        "mine": .int32(5), "x-workq-exchange": .text("e"), "x-workq-routing-key": .text("k"),
      ])
  }

  @Test func `a moved task keeps its attempts on request, but not the headers of the broker`() {
    let names = parked.moved(keepsAttempts: true).properties.headers?.entries.map(\.name)
    #expect(
      names == ["mine", "x-workq-attempts", "x-workq-reason", "x-workq-exchange", "x-workq-routing-key"])
  }

  @Test func `a moved task has no headers when it had none of its own`() {
    var message = Message(body: [])
    #expect(message.moved(keepsAttempts: false).properties.headers == nil)
    message.properties.headers = ["x-death": .array([])]
    #expect(message.moved(keepsAttempts: false).properties.headers == nil)
  }

  @Test(
    arguments: [
      (.text("5"), .int64(5), true), (.int64(5), .int8(5), true), (.boolean(true), .text("true"), true),
      (.text("5"), .int64(6), false), (.text("a"), .text("a"), true), (.text("a"), .text("A"), false),
      (.text(""), .void, false), (.bytes([1]), .bytes([1]), true), (.text("1.5"), .double(1.5), true),
      (.timestamp(7), .int64(7), true), (.text("x"), nil, false),
    ] as [(FieldValue, FieldValue?, Bool)])
  func `matches a header against a user's value`(wanted: FieldValue, found: FieldValue?, matches: Bool) {
    var message = Message(body: [])
    message.properties.headers = ["other": wanted]
    message.properties.headers?["h"] = found
    #expect(HeaderMatch(name: "h", value: wanted).matches(message) == matches)
  }
}

@Suite(.units) struct QueueFamilyTests {
  /// Friday, 2026-11-27.
  private let now = 1_795_737_600

  @Test func `a queue family contains the queues of workers, publishers and version 1`() {
    let family = QueueFamily(
      queue: "q", retryDelays: [.seconds(10), .seconds(20)], delays: [.milliseconds(1500)], now: now)
    #expect(
      family.members.map(\.name) == [
        "q", "q.retry.10000ms", "q.retry.20000ms", "q.retry.10000", "q.retry.20000",
        "q.delay.1500ms.2026w48", "q.delay.1500", "q.failed",
      ])
    #expect(
      family.members.map(\.role) == [
        .work, .retry(.seconds(10)), .retry(.seconds(20)), .retry(.seconds(10)), .retry(.seconds(20)),
        .delay(.milliseconds(1500)), .delay(.milliseconds(1500)), .failed,
      ])
    #expect(
      family.members.map(\.variant) == [nil, nil, nil, "1.0", "1.0", "2026w48", "1.0", nil])
    #expect(
      family.members.map(\.predecessor) == [
        nil, nil, "q.retry.10000ms", nil, "q.retry.10000", nil, nil, nil,
      ])
    #expect(QueueFamily(checking: "q").members.map(\.name) == ["q"])
  }

  @Test func `a queue family has a delay queue per week of the delay, and no week for a long delay`() {
    func names(_ delay: Duration) -> [String] {
      QueueFamily(queue: "q", delays: [delay], now: now).members.dropFirst().dropLast().map(\.name)
    }
    let weeks = ["2026w48", "2026w47", "2026w46"]
    #expect(names(.seconds(4 * 86_400)).first == "q.delay.345600000ms.2026w48")
    #expect(names(.seconds(4 * 86_400)).count == 2)
    #expect(
      names(.seconds(5 * 86_400)) == weeks.prefix(2).map { "q.delay.432000000ms.\($0)" } + [
        "q.delay.432000000"
      ])
    #expect(
      names(.seconds(14 * 86_400)) == weeks.map { "q.delay.1209600000ms.\($0)" } + ["q.delay.1209600000"])
    #expect(names(.seconds(40 * 86_400)) == ["q.delay.3456000000ms", "q.delay.3456000000"])
  }

  @Test func `retry delays double up to the maximum`() {
    let delays = QueueFamily.retryDelays(from: .seconds(10), upTo: .seconds(3600))
    #expect(delays == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600].map { .seconds($0) })
    #expect(
      QueueFamily.retryDelays(from: .seconds(8), upTo: .seconds(32)) == [8, 16, 32].map { .seconds($0) })
    #expect(QueueFamily.retryDelays(from: .seconds(9), upTo: .seconds(5)) == [.seconds(5)])
    #expect(QueueFamily.retryDelays(from: .zero, upTo: .seconds(5)) == [])
  }
}

@Suite(.units) struct BrokerVersionTests {
  @Test(arguments: [
    ("RabbitMQ 3.10.8", 3, 10), ("RabbitMQ 4.3.0-beta.1", 4, 3), ("RabbitMQ 3.13.7+2", 3, 13),
  ])
  func `reads the version from the broker's description`(description: String, major: Int, minor: Int) {
    #expect(BrokerVersion(broker: description) == BrokerVersion(major, minor))
  }

  @Test(arguments: ["", "LavinMQ 2.1.0", "RabbitMQ", "RabbitMQ x.y", "RabbitMQ 3"])
  func `reads no version from other brokers or malformed text`(description: String) {
    #expect(BrokerVersion(broker: description) == nil)
  }

  @Test func `compares minor versions as numbers`() {
    #expect(BrokerVersion(3, 9) < BrokerVersion(3, 10))
    #expect(BrokerVersion(3, 13) < BrokerVersion(4, 0))
  }
}

@Suite(.units) struct QueueHistoryTests {
  private func history(_ waiting: [Int], every step: Double = 1, consumers: UInt32 = 1) -> QueueHistory {
    var history = QueueHistory()
    for (index, count) in waiting.enumerated() {
      history.add(waiting: UInt32(count), consumers: consumers, at: .seconds(Double(index) * step))
    }
    return history
  }

  @Test func `computes the rate from at least two samples, over the last 10 s`() {
    #expect(QueueHistory().rate == nil)
    #expect(history([5]).rate == nil)
    #expect(history([0, 40]).rate == 40)
    #expect(history([100, 90, 80]).rate == -10)
    // Neither the 30 idle seconds before nor the sample before them count.
    #expect(history([9999] + Array(repeating: 0, count: 30) + (1...10).map { $0 * 3 }).rate == 3)
    // With a longer interval, the last two samples count.
    #expect(history([0, 0, 600], every: 60).rate == 10)
  }

  @Test func `the known pace is the fastest decrease with the present number of consumers`() {
    #expect(history([0, 10, 20]).knownPace == nil)
    let fast = history([100, 50, 0] + Array(repeating: 0, count: 30) + [10, 20, 30])
    #expect(fast.knownPace == 50)
    #expect(history([100, 50, 0], consumers: 0).knownPace == nil)
    var others = history([100, 50, 0], consumers: 5)
    others.add(waiting: 10, consumers: 1, at: .seconds(4))
    #expect(others.knownPace == nil)
  }

  @Test func `shows a column for each sample, and the maximum of several when there are too many`() {
    #expect(history([1, 2, 3]).columns(5) == [nil, nil, 1, 2, 3])
    #expect(history([1, 2, 3]).columns(3) == [1, 2, 3])
    #expect(history([1, 2, 3]).columns(0) == [])
    #expect(QueueHistory().columns(2) == [nil, nil])
    let many = history(Array(0...100))
    #expect(many.columns(4) == [24, 49, 74, 100])
    // A single peak among many samples is kept.
    #expect(history((0...100).map { $0 == 30 ? 9 : 0 }).columns(4) == [0, 9, 0, 0])
  }

  @Test func `forgets samples that are older than the span`() {
    let long = history(Array(0...1000))
    #expect(long.length == QueueHistory.span)
    #expect(long.count <= 311)
    #expect(long.columns(1) == [1000])
    #expect(long.columns(300).allSatisfy { $0 ?? 0 >= 699 })
  }
}
