import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct PropertyMismatchTests {
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
  func `reads the property and both values from a 406 error`(reason: String, expected: [String]) throws {
    let error = AMQPError(.preconditionFailed, "declare", "PRECONDITION_FAILED - \(reason)")
    let mismatch = try #require(PropertyMismatch(error))
    #expect([mismatch.property, mismatch.asked, mismatch.actual] == expected)
  }

  /// RabbitMQ omits the type when it is that of the requested value.
  @Test(
    arguments: [
      ("'x-max-length' received '6' but current is '5'", .int64(6), .int64(5)),
      ("'x-max-length' received the value '6' of type 'long' but current is none", .int64(6), nil),
      (
        "'x-overflow' received none but current is the value 'drop-head' of type 'longstr'", nil,
        .text("drop-head")
      ),
      ("'x-dead-letter-routing-key' received '6' but current is '5'", .text("6"), .text("5")),
      (
        "'x-single-active-consumer' received none but current is the value 'true' of type 'bool'", nil,
        .boolean(true)
      ),
      ("'x-message-ttl' received none but current is the value '9' of type 'signedint'", nil, .int64(9)),
    ] as [(String, FieldValue?, FieldValue?)])
  func `adopts the broker's actual argument`(reason: String, asked: FieldValue?, actual: FieldValue?) throws {
    let reason = reason.replacing(" received", with: " for queue 'q' in vhost '/': received")
    let error = AMQPError(.preconditionFailed, "declare", "PRECONDITION_FAILED - inequivalent arg \(reason)")
    let mismatch = try #require(PropertyMismatch(error))
    var queue = Queue(name: "q")
    queue.arguments[mismatch.property] = asked
    let adopted = try #require(queue.adopting(mismatch))
    #expect(adopted.arguments[mismatch.property] == actual)
  }

  @Test func `adopts neither other properties nor arguments of an unsupported type`() throws {
    for reason in [
      "'x-odd' for queue 'q' in vhost '/': received none but current is the value 'x' of type 'table'",
      "'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'",
      "'exclusive' for queue 'q' in vhost '/': received 'false' but current is 'true'",
    ] {
      let error = AMQPError(
        .preconditionFailed, "declare", "PRECONDITION_FAILED - inequivalent arg \(reason)")
      let mismatch = try #require(PropertyMismatch(error))
      #expect(Queue(name: "q").adopting(mismatch) == nil)
    }
  }

  @Test func `reads no mismatch from other errors of the broker`() {
    for reason in ["PRECONDITION_FAILED - unknown delivery tag 77", "", "inequivalent arg 'x"] {
      #expect(PropertyMismatch(AMQPError(.preconditionFailed, "declare", reason)) == nil)
    }
  }
}
