import TestSupport
import Testing

@testable import AMQP
@testable import WorkQueue

@Suite(.units) struct ConfirmWindowTests {
  private func envelope(_ id: String?, _ body: String, key: String = "q") -> Envelope {
    var message = Message(body: Array(body.utf8))
    message.properties.messageID = id
    return Envelope(message, routingKey: key)
  }

  private func returned(_ envelope: Envelope, _ reason: String = "NO_ROUTE") -> ReturnedMessage {
    ReturnedMessage(
      code: 312, reason: reason, exchange: envelope.exchange, routingKey: envelope.routingKey,
      message: envelope.message)
  }

  /// A model of a broker that replies to every message, in any order that AMQP allows.
  private struct Model {
    enum Answer: CaseIterable {
      case ack
      case nack
      case back
    }

    let envelopes: [Envelope]
    let answers: [Answer]

    func reply(_ index: Int) -> BrokerReply {
      switch answers[index] {
      case .ack: .confirmed
      case .nack: .declined(reason: "the queue is full, or cannot take it now")
      case .back: .unroutable(reason: "NO_ROUTE")
      }
    }
  }

  @Test func `the window settles each ticket once with the reply to an equal message`() {
    for seed in 1...300 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      // Few distinct values, so that many messages have equal IDs, equal bodies, or both.
      let kinds = Int.random(in: 1...4, using: &random)
      let envelopes = (0..<Int.random(in: 1...60, using: &random)).map { _ in
        envelope(
          ["a", "b", nil][.random(in: 0..<min(kinds, 3), using: &random)],
          "\(Int.random(in: 0..<kinds, using: &random))",
          key: "q\(Int.random(in: 0..<kinds, using: &random))")
      }
      let model = Model(
        envelopes: envelopes, answers: envelopes.map { _ in .allCases.randomElement(using: &random)! })
      check(model, &random, "seed \(seed)")
    }
  }

  private func check(_ model: Model, _ random: inout SeededRandom, _ comment: Comment) {
    var window = ConfirmWindow()
    var replies: [Int: BrokerReply] = [:]
    var (sent, answered, toldBack) = (0, Set<Int>(), 0)
    func take(_ settled: [(entry: ConfirmWindow.Entry, reply: BrokerReply)]) {
      for (entry, reply) in settled {
        #expect(replies.updateValue(reply, forKey: entry.ticket) == nil, comment)
      }
    }
    while answered.count < model.envelopes.count {
      if sent < model.envelopes.count, Bool.random(using: &random) {
        window.sent(model.envelopes[sent], ticket: sent, tag: UInt64(sent + 1))
        sent += 1
        continue
      }
      let open = (0..<sent).filter { !answered.contains($0) }
      guard let index = open.randomElement(using: &random) else { continue }
      let answer = model.answers[index]
      // The broker sends returns in order, each before its confirm.
      for other in toldBack..<max(toldBack, index + 1) where model.answers[other] == .back {
        window.returned(returned(model.envelopes[other]))
      }
      toldBack = max(toldBack, index + 1)
      let isNack = answer == .nack
      let before = open.filter { $0 <= index }
      let multiple =
        before.allSatisfy { (model.answers[$0] == .nack) == isNack } && Bool.random(using: &random)
      answered.formUnion(multiple ? before : [index])
      take(window.confirmed(tag: UInt64(index + 1), multiple: multiple, accepted: !isNack))
      #expect(window.count == sent - answered.count, comment)
    }
    #expect(window.isEmpty, comment)
    #expect(window.bytes == 0, comment)
    #expect(window.oldest == nil, comment)
    #expect(replies.count == model.envelopes.count, comment)
    for kind in model.envelopes {
      let alike = model.envelopes.indices.filter { model.envelopes[$0] == kind }
      let expected = alike.map { "\(model.reply($0))" }.sorted()
      #expect(alike.map { replies[$0].map { "\($0)" } ?? "none" }.sorted() == expected, comment)
    }
  }

  @Test func `the window matches a return by its message ID when its headers were changed`() throws {
    var window = ConfirmWindow()
    for (ticket, id) in ["a", "b", "c"].enumerated() {
      window.sent(envelope(id, "x"), ticket: ticket, tag: UInt64(ticket + 1))
    }
    var changed = envelope("b", "x")
    changed.message.properties.headers = ["added": .boolean(true)]
    window.returned(returned(changed))
    let settled = window.confirmed(tag: 3, multiple: true, accepted: true)
    #expect(settled.map(\.reply) == [.confirmed, .unroutable(reason: "NO_ROUTE"), .confirmed])
  }

  @Test func `an unknown or repeated confirm settles nothing`() {
    var window = ConfirmWindow()
    window.sent(envelope("a", "x"), ticket: 7, tag: 1)
    let settled = [(9, false), (1, false), (1, true)].map { tag, multiple in
      window.confirmed(tag: tag, multiple: multiple, accepted: true).map(\.entry.ticket)
    }
    #expect(settled == [[], [7], []])
    window.returned(returned(envelope("a", "x")))
    #expect(window.isEmpty)
  }

  @Test func `the window returns all unsettled entries in order when they are removed`() {
    var window = ConfirmWindow()
    for ticket in 0..<3000 { window.sent(envelope("\(ticket)", ""), ticket: ticket, tag: UInt64(ticket + 1)) }
    _ = window.confirmed(tag: 2000, multiple: true, accepted: true)
    _ = window.confirmed(tag: 2500, multiple: false, accepted: true)
    let left = window.removeAll().map(\.ticket)
    #expect(left == (2000..<3000).filter { $0 != 2499 })
    #expect(window.isEmpty)
    #expect(window.bytes == 0)
  }

  // MARK: Many in flight

  private static let many = 100_000

  enum Order: CaseIterable {
    case ascending, descending, shuffled, alternating

    /// The tags from 1 to `count`, in this order.
    func tags(_ count: Int) -> [UInt64] {
      let all = (1...UInt64(count)).map(\.self)
      var random = SeededRandom(seed: 7)
      return switch self {
      case .ascending: all
      case .descending: all.reversed()
      case .shuffled: all.shuffled(using: &random)
      case .alternating: zip(all.prefix(count / 2), all.reversed()).flatMap { [$0, $1] }
      }
    }
  }

  /// With this many messages in flight, a linear scan for each confirm would take minutes.
  @Test(arguments: Order.allCases, [false, true])
  func `the window settles each of 100,000 messages once in any order`(order: Order, hasReturns: Bool) {
    var window = ConfirmWindow()
    for ticket in 0..<Self.many {
      window.sent(envelope("\(ticket)", "x"), ticket: ticket, tag: UInt64(ticket + 1))
    }
    let isReturned = { (ticket: Int) in hasReturns && ticket % 3 == 0 }
    for ticket in 0..<Self.many where isReturned(ticket) {
      window.returned(returned(envelope("\(ticket)", "x")))
    }
    var (wrong, settled) = (0, 0)
    for tag in order.tags(Self.many) {
      let ticket = Int(tag) - 1
      let reply: BrokerReply = isReturned(ticket) ? .unroutable(reason: "NO_ROUTE") : .confirmed
      let answers = window.confirmed(tag: tag, multiple: false, accepted: true)
      settled += answers.count
      wrong += answers.count { $0.entry.ticket != ticket || $0.reply != reply }
    }
    #expect(settled == Self.many)
    #expect(wrong == 0)
    #expect(window.isEmpty)
    #expect(window.bytes == 0)
  }

  @Test func `a multiple confirm settles all messages up to its tag when 100,000 are in flight`() {
    var window = ConfirmWindow()
    for ticket in 0..<Self.many {
      window.sent(envelope("\(ticket)", "x"), ticket: ticket, tag: UInt64(ticket + 1))
    }
    var settled: [Int] = []
    for tag in stride(from: UInt64(2), through: UInt64(Self.many), by: 2) {
      settled += window.confirmed(tag: tag, multiple: true, accepted: true).map(\.entry.ticket)
    }
    #expect(settled == Array(0..<Self.many))
    #expect(window.isEmpty)
  }

  @Test func `the window releases confirmed entries while the first confirm is outstanding`() {
    var window = ConfirmWindow()
    weak var confirmed: ConfirmWindow.Entry?
    window.sent(envelope("0", "x"), ticket: 0, tag: 1)
    for ticket in 1..<Self.many {
      let tag = UInt64(ticket + 1)
      window.sent(envelope("\(ticket)", "x"), ticket: ticket, tag: tag)
      let settled = window.confirmed(tag: tag, multiple: false, accepted: true)
      if ticket == 1 { confirmed = settled.first?.entry }
    }
    #expect(confirmed == nil)
    #expect(window.count == 1)
    #expect(window.slots <= 2048)
    #expect(window.removeAll().map(\.ticket) == [0])
  }
}
