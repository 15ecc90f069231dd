import Testing

@testable import AMQP

@Suite struct ErrorTests {
  @Test(arguments: [
    (
      "inequivalent arg 'durable' for queue 't.q' in vhost '/': received 'false' but current is 'true'",
      ["durable", "false", "true"]
    ),
    (
      """
      inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': received the value '5' of type \
      'signedint' but current is none
      """, ["x-max-priority", "5", "none"]
    ),
    (
      """
      inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but current is the value \
      'quorum' of type 'longstr'
      """, ["x-queue-type", "none", "quorum"]
    ),
    (
      """
      inequivalent arg 'durable' for queue 'a: received 'x' but current is 'y'' in vhost '/': \
      received 'false' but current is 'true'
      """, ["durable", "false", "true"]
    ),
  ])
  func `a 406 says which property differs, and how`(words: String, expected: [String]) throws {
    let error = AMQPError(.preconditionFailed, "declare", "PRECONDITION_FAILED - \(words)")
    let mismatch = try #require(PropertyMismatch(error))
    #expect([mismatch.property, mismatch.asked, mismatch.actual] == expected)
  }

  @Test func `other words of the broker are no mismatch`() {
    for words in ["PRECONDITION_FAILED - unknown delivery tag 77", "", "inequivalent arg 'x"] {
      #expect(PropertyMismatch(AMQPError(.preconditionFailed, "declare", words)) == nil)
    }
  }

  @Test(
    arguments: [
      (320, AMQPError.Kind.lost), (403, .accessRefused), (404, .notFound), (405, .locked),
      (406, .preconditionFailed), (530, .accessRefused), (541, .lost), (505, .protocolViolation),
    ] as [(UInt16, AMQPError.Kind)])
  func `a reply code decides what kind of error it is`(code: UInt16, kind: AMQPError.Kind) {
    #expect(AMQPError(code: code, "words", "publish") == AMQPError(kind, "publish", "words"))
  }

  @Test func `only what another attempt may mend is transient`() {
    let transient: [AMQPError.Kind] = [.unresolvable, .unreachable, .noBroker, .timedOut, .lost]
    let final: [AMQPError.Kind] = [
      .badAddress, .tls, .accessRefused, .notFound, .preconditionFailed, .locked, .tooLarge,
      .protocolViolation,
    ]
    #expect(transient.allSatisfy { AMQPError($0, "", "").isTransient })
    #expect(!final.contains { AMQPError($0, "", "").isTransient })
  }
}

@Suite struct DeadlineTests {
  @Test func `a deadline that passed has nothing left, and a far one never ends`() throws {
    #expect(Deadline.after(.seconds(-1)).hasPassed)
    #expect(Deadline.after(.seconds(-1)).remaining == .zero)
    #expect(Deadline.after(.seconds(-1)).pollMilliseconds == 0)
    #expect(Deadline.never.remaining == nil && Deadline.never.pollMilliseconds == -1)
    #expect(Deadline.after(.seconds(Int64.max)) == .never)
    let remaining = try #require(Deadline.after(.seconds(60)).remaining)
    #expect(remaining > .seconds(50) && remaining <= .seconds(60))
  }

  @Test func `a wait is rounded up, so that it does not end just before its time`() {
    let deadline = Deadline.after(.milliseconds(1500))
    #expect((1400...1500).contains(deadline.pollMilliseconds))
    #expect(Deadline.after(.microseconds(900)).pollMilliseconds == 1)
  }
}
