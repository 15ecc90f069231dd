import TestSupport
import Testing

@testable import AMQP

@Suite(.units) struct TransportTests {
  @Test func `reads bytes that arrive after a read has emptied the socket`() throws {
    let pair = try SocketPair()
    var transport = Transport(descriptor: pair.takeOne())
    for byte in [1, 2] as [UInt8] {
      pair.write([byte])
      let result = read(from: &transport)
      #expect(result == .done(1))
    }
    let nothing = read(from: &transport)
    #expect(nothing == .blocked)
  }

  private func read(from transport: inout Transport) -> Transport.Result {
    var buffer = [UInt8](repeating: 0, count: 100)
    return buffer.withUnsafeMutableBytes { transport.read(into: $0) }
  }
}
