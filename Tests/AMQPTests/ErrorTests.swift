import TestSupport
import Testing

@testable import AMQP

@Suite(.units) struct ErrorTests {
  @Test(
    arguments: [
      (320, AMQPError.Kind.lost), (403, .accessRefused), (404, .notFound), (405, .locked),
      (406, .preconditionFailed), (530, .accessRefused), (540, .unsupported), (541, .lost),
      (505, .protocolViolation),
    ] as [(UInt16, AMQPError.Kind)])
  func `maps a reply code to the kind of error`(code: UInt16, kind: AMQPError.Kind) {
    #expect(AMQPError(code: code, "reason", "publish") == AMQPError(kind, "publish", "reason"))
  }

  @Test func `joins the broker's error text to one line and removes control characters`() {
    let text = "FRAME_ERROR - first octets = <<0>>: {invalid_frame_end_marker,\r\n      172}\u{1b}[2J\u{9b}x "
    let error = AMQPError(code: 501, text, "publish")
    #expect(error.detail == "FRAME_ERROR - first octets = <<0>>: {invalid_frame_end_marker, 172} [2J x")
  }

  @Test func `only errors that a retry may fix are transient`() {
    let transient: [AMQPError.Kind] = [
      .unresolvable, .unreachable, .shortage, .noBroker, .timedOut, .lost, .connectionRefused, .unavailable,
      .locked,
    ]
    let final: [AMQPError.Kind] = [
      .badAddress, .badFile, .tls, .accessRefused, .notFound, .preconditionFailed, .unsupported, .tooLarge,
      .protocolViolation,
    ]
    #expect(transient.allSatisfy { AMQPError($0, "", "").isTransient })
    #expect(!final.contains { AMQPError($0, "", "").isTransient })
  }
}

@Suite(.units) struct DeadlineTests {
  @Test func `a passed deadline has no time left, and an extremely distant one equals never`() throws {
    #expect(Deadline.after(.seconds(-1)).hasPassed)
    #expect(Deadline.after(.seconds(-1)).remaining == .zero)
    #expect(Deadline.after(.seconds(-1)).pollMilliseconds == 0)
    #expect(Deadline.never.remaining == nil)
    #expect(Deadline.never.pollMilliseconds == -1)
    #expect(Deadline.after(.seconds(Int64.max)) == .never)
    let remaining = try #require(Deadline.after(.seconds(60)).remaining)
    #expect(remaining > .seconds(50))
    #expect(remaining <= .seconds(60))
  }

  @Test func `rounds a poll timeout up to whole milliseconds`() {
    let deadline = Deadline.after(.milliseconds(1500))
    #expect((1400...1500).contains(deadline.pollMilliseconds))
    #expect(Deadline.after(.microseconds(900)).pollMilliseconds == 1)
  }
}
