import TestSupport
import Testing

@testable import AMQP

@Suite(.units) struct ContentAssemblerTests {
  private let deliver = ContentAssembler.Announcement.delivery(
    Delivery.Tag(session: 1, number: 5), isAnswer: false, isRedelivered: true, "", "q")

  private func body(_ assembler: inout ContentAssembler, _ bytes: [UInt8]) throws(AMQPError) -> Event? {
    // Array.withUnsafeBytes() cannot rethrow a typed error.
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(AMQPError) in try assembler.body(bytes) }
    }
    return try result.get()
  }

  @Test func `a delivery without a body is complete after its content header`() throws {
    var assembler = ContentAssembler()
    try assembler.begin(deliver)
    guard case .delivered(let delivery) = try assembler.header(bodySize: 0, .init()) else {
      Issue.record("no delivery")
      return
    }
    #expect(delivery.message.body == [])
    #expect(delivery.tag.number == 5)
    #expect(delivery.isRedelivered)
    #expect(delivery.routingKey == "q")
  }

  @Test func `a message requested with get becomes a get result, not a consumer delivery`() throws {
    var assembler = ContentAssembler()
    let tag = Delivery.Tag(session: 1, number: 2)
    try assembler.begin(.delivery(tag, isAnswer: true, isRedelivered: false, "e", "k"))
    try expect(assembler.header(bodySize: 1, .init()), equals: nil)
    guard case .got(let task?) = try body(&assembler, [7]) else {
      Issue.record("no task")
      return
    }
    #expect(task.message.body == [7])
    #expect(task.tag == tag)
    #expect(task.exchange == "e")
    #expect(task.routingKey == "k")
  }

  @Test func `assembles a body from several frames`() throws {
    var assembler = ContentAssembler()
    try assembler.begin(.return(code: 312, reason: "NO_ROUTE", "", "q"))
    try expect(assembler.header(bodySize: 5, .init()), equals: nil)
    try expect(body(&assembler, [1, 2]), equals: nil)
    guard case .returned(let returned) = try body(&assembler, [3, 4, 5]) else {
      Issue.record("no return")
      return
    }
    #expect(returned.message.body == [1, 2, 3, 4, 5])
    #expect(returned.code == 312)
    #expect(returned.reason == "NO_ROUTE")
  }

  private func isViolation(_ frame: () throws(AMQPError) -> Void) -> Bool {
    do throws(AMQPError) { try frame() } catch { return error.kind == .protocolViolation }
    return false
  }

  @Test func `refuses frames out of order`() throws {
    var idle = ContentAssembler()
    #expect(isViolation { () throws(AMQPError) in _ = try idle.header(bodySize: 1, .init()) })
    #expect(isViolation { () throws(AMQPError) in _ = try body(&idle, [1]) })
    var announced = ContentAssembler()
    try announced.begin(deliver)
    #expect(isViolation { () throws(AMQPError) in _ = try body(&announced, [1]) })
    #expect(isViolation { () throws(AMQPError) in _ = try announced.begin(deliver) })
    var receiving = ContentAssembler()
    try receiving.begin(deliver)
    try expect(receiving.header(bodySize: 2, .init()), equals: nil)
    #expect(isViolation { () throws(AMQPError) in _ = try receiving.header(bodySize: 2, .init()) })
    #expect(isViolation { () throws(AMQPError) in _ = try receiving.begin(deliver) })
  }

  @Test func `refuses a body that is longer than its header declares`() throws {
    var assembler = ContentAssembler()
    try assembler.begin(deliver)
    try expect(assembler.header(bodySize: 2, .init()), equals: nil)
    #expect(isViolation { () throws(AMQPError) in _ = try body(&assembler, [1, 2, 3]) })
  }

  @Test func `waits for more of the body when the header declares the maximum size`() throws {
    var assembler = ContentAssembler()
    try assembler.begin(deliver)
    try expect(assembler.header(bodySize: .max, .init()), equals: nil)
    try expect(body(&assembler, [1]), equals: nil)
  }
}
