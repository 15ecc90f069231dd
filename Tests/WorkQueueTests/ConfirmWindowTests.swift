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

  /// A broker that answers for everything, in any order that AMQP allows.
  private struct Model {
    enum Answer: CaseIterable {
      case ack
      case nack
      case back
    }

    let envelopes: [Envelope]
    let answers: [Answer]

    func verdict(_ index: Int) -> Verdict {
      switch answers[index] {
      case .ack: .confirmed
      case .nack: .declined(reason: "the queue is full, or cannot take it now")
      case .back: .unroutable(reason: "NO_ROUTE")
      }
    }
  }

  @Test func `each ticket is settled once, with the verdict of its like`() {
    for seed in 1...300 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      // Few of everything, so that many are equal in their ids, their bodies, or both.
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
    var verdicts: [Int: Verdict] = [:]
    var (sent, answered, toldBack) = (0, Set<Int>(), 0)
    func take(_ settled: [(entry: ConfirmWindow.Entry, verdict: Verdict)]) {
      for (entry, verdict) in settled {
        #expect(verdicts.updateValue(verdict, forKey: entry.ticket) == nil, comment)
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
      // Whatever is returned up to here has been, in order, before its confirm.
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
    #expect(verdicts.count == model.envelopes.count, comment)
    for kind in model.envelopes {
      let alike = model.envelopes.indices.filter { model.envelopes[$0] == kind }
      let expected = alike.map { "\(model.verdict($0))" }.sorted()
      #expect(alike.map { verdicts[$0].map { "\($0)" } ?? "none" }.sorted() == expected, comment)
    }
  }

  @Test func `a return that was changed on its way is known by its id`() throws {
    var window = ConfirmWindow()
    for (ticket, id) in ["a", "b", "c"].enumerated() {
      window.sent(envelope(id, "x"), ticket: ticket, tag: UInt64(ticket + 1))
    }
    var changed = envelope("b", "x")
    changed.message.properties.headers = ["added": .boolean(true)]
    window.returned(returned(changed))
    let settled = window.confirmed(tag: 3, multiple: true, accepted: true)
    #expect(settled.map(\.verdict) == [.confirmed, .unroutable(reason: "NO_ROUTE"), .confirmed])
  }

  @Test func `a confirm of what was never sent, or again, settles nothing`() {
    var window = ConfirmWindow()
    window.sent(envelope("a", "x"), ticket: 7, tag: 1)
    let settled = [(9, false), (1, false), (1, true)].map { tag, multiple in
      window.confirmed(tag: tag, multiple: multiple, accepted: true).map(\.entry.ticket)
    }
    #expect(settled == [[], [7], []])
    window.returned(returned(envelope("a", "x")))
    #expect(window.isEmpty)
  }

  @Test func `what is taken out is all that is not settled, in order`() {
    var window = ConfirmWindow()
    for ticket in 0..<3000 { window.sent(envelope("\(ticket)", ""), ticket: ticket, tag: UInt64(ticket + 1)) }
    _ = window.confirmed(tag: 2000, multiple: true, accepted: true)
    _ = window.confirmed(tag: 2500, multiple: false, accepted: true)
    let left = window.removeAll().map(\.ticket)
    #expect(left == (2000..<3000).filter { $0 != 2499 })
    #expect(window.isEmpty)
    #expect(window.bytes == 0)
  }
}
