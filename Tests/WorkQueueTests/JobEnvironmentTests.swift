import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct JobEnvironmentTests {
  private func variables(
    headers: FieldTable? = nil, room: Int = JobEnvironment.headersLimit,
    _ change: (inout Message.Properties) -> Void = { _ in }
  ) -> [String] {
    var properties = Message.Properties()
    properties.headers = headers
    change(&properties)
    let delivery = Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: true, exchange: "", routingKey: "q",
      message: Message(body: [], properties: properties))
    let bytes = JobEnvironment(delivery, queue: "q", attempt: 2, room: room).bytes
    #expect(bytes.last == 0)
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  private let always = [
    "WORKQ_QUEUE=q", "WORKQ_ATTEMPT=2", "WORKQ_REDELIVERED=1", "WORKQ_EXCHANGE=", "WORKQ_ROUTING_KEY=q",
  ]

  @Test func `sets no variable for a property that the task does not have`() {
    #expect(variables() == always)
  }

  @Test func `sets a variable for every property`() {
    let trace: FieldTable = ["traceparent": .text(TraceContextTests.parent), "tracestate": .text("a=1")]
    let all = variables(headers: trace) { properties in
      (properties.messageID, properties.priority, properties.contentType) = ("id", 3, "text/plain")
      (properties.contentEncoding, properties.correlationID, properties.replyTo) = ("gzip", "c", "back")
      (properties.timestamp, properties.type, properties.appID) = (1_700_000_000, "t", "app")
    }
    #expect(
      Set(all)
        == Set(always).union([
          "WORKQ_MESSAGE_ID=id", "WORKQ_PRIORITY=3", "WORKQ_CONTENT_TYPE=text/plain",
          "WORKQ_CONTENT_ENCODING=gzip", "WORKQ_CORRELATION_ID=c", "WORKQ_REPLY_TO=back",
          "WORKQ_TIMESTAMP=1700000000", "WORKQ_TYPE=t", "WORKQ_APP_ID=app",
          "TRACEPARENT=\(TraceContextTests.parent)", "TRACESTATE=a=1",
          "WORKQ_HEADER_TRACEPARENT=\(TraceContextTests.parent)", "WORKQ_HEADER_TRACESTATE=a=1",
        ]))
    let names = all.map { String($0.prefix { $0 != "=" }) }.filter { !$0.hasPrefix("WORKQ_HEADER_") }
    #expect(Set(names) == Set(JobEnvironment.names))
  }

  @Test func `makes header names valid in a shell, and keeps the first of two equal names`() {
    #expect(JobEnvironment.sanitised("x-Request.id 1é") == "X_REQUEST_ID_1__")
    let set = variables(headers: ["a-b": .text("first"), "A_B": .text("second"), "": .text("nameless")])
    #expect(set.filter { $0.hasPrefix("WORKQ_HEADER_") } == ["WORKQ_HEADER_A_B=first"])
  }

  @Test(
    arguments: [
      (.boolean(true), "true"), (.boolean(false), "false"), (.int8(-1), "-1"), (.uint8(1), "1"),
      (.int16(-2), "-2"), (.uint16(2), "2"), (.int32(-3), "-3"), (.uint32(3), "3"), (.int64(-4), "-4"),
      (.uint64(4), "4"), (.timestamp(5), "5"), (.float(1.5), "1.5"), (.double(2.5), "2.5"),
      (.decimal(scale: 2, value: 314), "314e-2"), (.text("x=y\n"), "x=y\n"), (.octets([65]), "A"),
      (.bytes([66]), "B"), (.void, ""), (.array([.int8(1)]), nil), (.table([:]), nil),
    ] as [(FieldValue, String?)])
  func `formats scalar header values, and skips arrays and tables`(value: FieldValue, text: String?) {
    #expect(JobEnvironment.bytes(of: value) == text.map { Array($0.utf8) })
  }

  @Test func `omits values with NUL bytes and headers over the size limit`() {
    let longest = String(repeating: "x", count: JobEnvironment.longestHeader)
    let set = variables(headers: [
      "nul": .text("a\0b"), "long": .text(longest + "x"), "just": .text(longest), "ok": .text("1"),
    ])
    #expect(set.filter { $0.hasPrefix("WORKQ_HEADER_") }.map(\.utf8.count) == [18 + longest.utf8.count, 17])
    #expect(variables { $0.messageID = "a\0b" } == always)
  }

  @Test func `limits the total size of the header variables to the available space`() {
    let headers = FieldTable(
      entries: (0..<1000).map { .init(name: "h\($0)", value: .text(String(repeating: "v", count: 1000))) })
    for room in [0, 1000, 5000, JobEnvironment.headersLimit] {
      let set = variables(headers: headers, room: room).filter { $0.hasPrefix("WORKQ_HEADER_") }
      let size = set.reduce(0) { $0 + $1.utf8.count + 1 + 8 }
      #expect(size <= room)
      #expect(size >= room - 1100)
    }
  }

  @Test func `removes inherited task and systemd variables, and keeps all others byte for byte`() {
    let environment = [
      "PATH=/bin", "WORKQ_URL=amqp://x", "WORKQ_MESSAGE_ID=outer", "WORKQ_HEADER_A=outer", "WORKQ_QUEUE=o",
      "TRACEPARENT=outer", "TRACESTATE=outer",
      "WORKQ_RESULT_FD=3", "WORKQ_BATCH=9", "NOTIFY_SOCKET=/run/systemd/notify", "WATCHDOG_PID=1",
      "WATCHDOG_USEC=1000000",
    ].map { Array($0.utf8) }
    let base = JobEnvironment.base(of: environment + [[0x4e, 0x3d, 0xff]])
    #expect(base == [environment[0], environment[1], [0x4e, 0x3d, 0xff]])
  }
}
