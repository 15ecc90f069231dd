import TestSupport
import Testing

@testable import AMQP
@testable import WorkQueue

@Suite(.units) struct DeclarationsTests {
  private let waiting = WaitingQueue.retry(of: "q", after: .seconds(10))
  private var target: Declarations.Target { .waiting(waiting) }

  private func error(_ kind: AMQPError.Kind, _ detail: String = "") -> AMQPError {
    AMQPError(kind, "declare", detail)
  }

  /// Answers the requests for a target in turn; nil is consent.
  private func declare(
    _ target: Declarations.Target, _ answers: [AMQPError?], _ declarations: inout Declarations
  ) throws -> (requests: [Declarations.Request], events: [WaitingQueueEvent]) {
    var (requests, events) = ([Declarations.Request](), [WaitingQueueEvent]())
    declarations.begin(target, on: BrokerVersion(4, 0))
    for answer in answers {
      requests.append(try #require(declarations.request))
      try declarations.answered(answer, after: 0) { events.append($0) }
    }
    #expect(declarations.request == nil)
    return (requests, events)
  }

  @Test func `a waiting queue is a quorum queue where the broker has them`() throws {
    var declarations = Declarations()
    let made = try declare(target, [nil], &declarations)
    #expect(made.requests.map(\.queue) == [waiting.queue(.quorum)])
    #expect(made.events == [])
    #expect(declarations.outcome(of: target) == .ready(name: "q.retry.10000ms"))
  }

  @Test func `a refused type is replaced by classic on a new connection, and so are later ones`() throws {
    var declarations = Declarations()
    let first = try declare(target, [error(.unsupported, "no such type"), nil], &declarations)
    #expect(first.requests.map(\.queue) == [waiting.queue(.quorum), waiting.queue(.classic)])
    #expect(first.requests.map(\.needsConnection) == [false, true])
    #expect(first.events == [.isClassic(queue: "q.retry.10000ms", reason: "no such type")])
    let other = WaitingQueue.retry(of: "q", after: .seconds(20))
    let second = try declare(.waiting(other), [nil], &declarations)
    #expect(second.requests.map(\.queue) == [other.queue(.classic)])
    #expect(second.events == [])
  }

  @Test func `without a right on the new name the former one is used`() throws {
    var declarations = Declarations()
    let made = try declare(target, [error(.accessRefused, "no"), nil], &declarations)
    #expect(made.requests.map(\.queue) == [waiting.queue(.quorum), waiting.formerQueue])
    #expect(
      made.events == [.usesFormerName(queue: "q.retry.10000ms", former: "q.retry.10000", reason: "no")])
    #expect(declarations.outcome(of: target) == .ready(name: "q.retry.10000"))
  }

  @Test func `a refusal of both names is the first one's`() throws {
    var declarations = Declarations()
    #expect(throws: error(.accessRefused, "first")) {
      try declare(target, [error(.accessRefused, "first"), error(.accessRefused, "second")], &declarations)
    }
    #expect(declarations.request == nil)
    #expect(declarations.outcome(of: target) == nil)
  }

  @Test func `what passes is no reason for a classic queue`() throws {
    var declarations = Declarations()
    #expect(throws: error(.unavailable)) { try declare(target, [error(.unavailable)], &declarations) }
    let made = try declare(target, [nil], &declarations)
    #expect(made.requests.map(\.queue) == [waiting.queue(.quorum)])
  }

  @Test func `an existing failed queue is used as it is, and a missing one declared`() throws {
    var declarations = Declarations()
    let existing = try declare(.failedQueue("f"), [nil], &declarations)
    #expect(existing.requests.map(\.isPassive) == [true])
    let missing = try declare(.failedQueue("g"), [error(.notFound), nil], &declarations)
    #expect(missing.requests.map(\.isPassive) == [true, false])
    #expect(
      missing.requests.last?.queue == Declarations.failedQueue("g", on: BrokerVersion(4, 0)))
    #expect(declarations.outcome(of: .failedQueue("g")) == .ready(name: "g"))
  }

  @Test func `a failed queue that another program has declared meanwhile is used`() throws {
    var declarations = Declarations()
    let refusal = error(.preconditionFailed, "differently")
    let made = try declare(
      .failedQueue("f"), [error(.notFound), refusal, refusal, nil], &declarations)
    #expect(made.requests.map(\.isPassive) == [true, false, false, true])
    #expect(throws: refusal) {
      try declare(.failedQueue("g"), [error(.notFound), refusal, refusal, error(.notFound)], &declarations)
    }
  }

  @Test
  func `a queue that exists differently is one, and a missing one is only created where that is wanted`()
    throws
  {
    var declarations = Declarations()
    _ = try declare(.queue("q"), [error(.preconditionFailed)], &declarations)
    #expect(declarations.outcome(of: .queue("q")) == .ready(name: "q"))
    let looked = try declare(.existing("r"), [error(.notFound)], &declarations)
    #expect(looked.requests.map(\.isPassive) == [true])
    #expect(declarations.outcome(of: .existing("r")) == .missing)
  }

  @Test func `a queue is created once for all messages that were sent before`() throws {
    var declarations = Declarations()
    #expect(declarations.isMissing(.queue("q"), at: 0) == true)
    declarations.begin(.queue("q"), on: nil)
    try declarations.answered(nil, after: 9) { _ in }
    #expect(declarations.isMissing(.queue("q"), at: 9) == false)
    #expect(declarations.isMissing(.queue("q"), at: 10) == true)
    #expect(declarations.isMissing(.queue("r"), at: 9) == true)
    declarations.forgetAll()
    #expect(declarations.outcome(of: .queue("q")) == nil)
  }
}
