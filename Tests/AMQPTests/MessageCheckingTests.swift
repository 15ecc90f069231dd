import TestSupport
import Testing

@testable import AMQP

@Suite(.units) struct MessageCheckingTests {
  private static let short = String(repeating: "x", count: 255)
  private static let long = String(repeating: "é", count: 128)

  private func error(_ change: (inout Message.Properties) -> Void) -> AMQPError? {
    var properties = Message.Properties()
    change(&properties)
    do throws(AMQPError) {
      try properties.check()
      return nil
    } catch {
      return error
    }
  }

  @Test func `a text property may have at most 255 bytes`() {
    let texts: [(String, WritableKeyPath<Message.Properties, String?>)] = [
      ("content-type", \.contentType), ("content-encoding", \.contentEncoding),
      ("correlation-id", \.correlationID), ("reply-to", \.replyTo), ("expiration", \.expiration),
      ("message-id", \.messageID), ("type", \.type), ("user-id", \.userID), ("app-id", \.appID),
    ]
    for (name, path) in texts {
      let fits = error { $0[keyPath: path] = Self.short }
      #expect(fits == nil)
      let tooLong = error { $0[keyPath: path] = Self.long }
      #expect(tooLong?.kind == .tooLarge)
      #expect(tooLong?.detail == "the \(name) has 256 bytes, 255 at most")
    }
  }

  @Test func `a header name may have at most 255 bytes, even in nested tables`() {
    let deep: (String) -> FieldTable = { ["a": .array([.table(["b": .table([$0: .void])])])] }
    for (name, detail) in [(Self.short, nil), (Self.long, "the name of a header has 256 bytes, 255 at most")]
    {
      for table in [[name: .boolean(true)], deep(name)] {
        let found = error { $0.headers = table }
        #expect(found?.detail == detail)
      }
    }
  }

  @Test func `refuses headers that are together too large for a frame`() {
    let text = FieldValue.text(String(repeating: "x", count: 50_000))
    let fits = error { $0.headers = ["a": text, "b": text] }
    #expect(fits == nil)
    let tooLarge = error { $0.headers = ["a": text, "b": text, "c": text] }
    #expect(tooLarge?.kind == .tooLarge)
    #expect(
      tooLarge?.detail == """
        the headers take 150047 bytes, and 122880 is the maximum: of a frame's 131072 bytes, 8192 are kept free \
        for headers that the broker adds
        """)
  }

  /// The reserved space is 8 KiB or a quarter of the frame, whichever is smaller.
  @Test(arguments: [(131_072, 122_880), (32_768, 24_576), (8192, 6144), (4096, 3072)])
  func `reserves space in the frame for headers that the broker adds`(frameMax: Int, most: Int) throws {
    var properties = Message.Properties()
    properties.headers = ["a": .text("")]
    let empty = properties.frameSize
    properties.headers = ["a": .text(String(repeating: "x", count: most - empty))]
    #expect(throws: Never.self) { try properties.checkSize(frameMax: frameMax) }
    properties.headers = ["a": .text(String(repeating: "x", count: most - empty + 1))]
    let error = #expect(throws: AMQPError.self) { try properties.checkSize(frameMax: frameMax) }
    #expect(error?.detail.contains(" \(most + 1) bytes, and \(most) is the maximum") == true)
    #expect(error?.detail.contains(" \(frameMax) bytes, ") == true)
  }
}
