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

  /// Answers the requests for a target in turn; nil means success.
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

  @Test func `declares a waiting queue as a quorum queue when the broker supports them`() throws {
    var declarations = Declarations()
    let made = try declare(target, [nil], &declarations)
    #expect(made.requests.map(\.queue) == [waiting.queue(.quorum)])
    #expect(made.events == [])
    #expect(declarations.outcome(of: target) == .ready(name: "q.retry.10000ms"))
  }

  @Test func `declares this and later queues as classic when the broker refuses a quorum queue`() throws {
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

  @Test func `uses the queue name of version 1 when the user lacks permission for the new name`() throws {
    var declarations = Declarations()
    let made = try declare(target, [error(.accessRefused, "no"), nil], &declarations)
    #expect(made.requests.map(\.queue) == [waiting.queue(.quorum), waiting.formerQueue])
    #expect(
      made.events == [.usesFormerName(queue: "q.retry.10000ms", former: "q.retry.10000", reason: "no")])
    #expect(declarations.outcome(of: target) == .ready(name: "q.retry.10000"))
  }

  @Test func `reports the first refusal when the broker refuses both queue names`() throws {
    var declarations = Declarations()
    #expect(throws: error(.accessRefused, "first")) {
      try declare(target, [error(.accessRefused, "first"), error(.accessRefused, "second")], &declarations)
    }
    #expect(declarations.request == nil)
    #expect(declarations.outcome(of: target) == nil)
  }

  @Test func `declares a quorum queue again when the first attempt failed with a temporary error`() throws {
    var declarations = Declarations()
    #expect(throws: error(.unavailable)) { try declare(target, [error(.unavailable)], &declarations) }
    let made = try declare(target, [nil], &declarations)
    #expect(made.requests.map(\.queue) == [waiting.queue(.quorum)])
  }

  @Test func `uses an existing failed queue as it is and declares a missing one`() throws {
    var declarations = Declarations()
    let existing = try declare(.failedQueue("f"), [nil], &declarations)
    #expect(existing.requests.map(\.isPassive) == [true])
    let missing = try declare(.failedQueue("g"), [error(.notFound), nil], &declarations)
    #expect(missing.requests.map(\.isPassive) == [true, false])
    #expect(
      missing.requests.last?.queue == Declarations.failedQueue("g", on: BrokerVersion(4, 0)))
    #expect(declarations.outcome(of: .failedQueue("g")) == .ready(name: "g"))
  }

  @Test func `uses a failed queue that another program has declared at the same time`() throws {
    var declarations = Declarations()
    let refusal = error(.preconditionFailed, "differently")
    let made = try declare(
      .failedQueue("f"), [error(.notFound), refusal, refusal, nil], &declarations)
    #expect(made.requests.map(\.isPassive) == [true, false, false, true])
    #expect(throws: refusal) {
      try declare(.failedQueue("g"), [error(.notFound), refusal, refusal, error(.notFound)], &declarations)
    }
  }

  @Test func `uses a queue that has other properties, and does not create one that must exist`() throws {
    var declarations = Declarations()
    _ = try declare(.queue("q"), [error(.preconditionFailed)], &declarations)
    #expect(declarations.outcome(of: .queue("q")) == .ready(name: "q"))
    let looked = try declare(.existing("r"), [error(.notFound)], &declarations)
    #expect(looked.requests.map(\.isPassive) == [true])
    #expect(declarations.outcome(of: .existing("r")) == .missing)
  }

  @Test func `a queue counts as missing again only for messages sent after its declaration`() throws {
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
