import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct TraceContextTests {
  static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  private static let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"

  @Test(
    arguments: [
      parent, "00-\(ids)-00", "00-\(ids)-ff", "cc-\(ids)-01", "cc-\(ids)-01-what-comes-later",
    ])
  func `accepts a parent when it has the W3C format`(parent: String) {
    #expect(TraceContext(parent: parent, state: nil)?.parent == parent)
  }

  @Test(
    arguments: [
      "", "00", ids, "00-\(ids)", "ff-\(ids)-01", "00-\(ids)-01-more", "00-\(ids)-0", "00-\(ids)-0g",
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", " \(parent)", "cc-\(ids)-01-\n",
      "cc-\(ids)-01-\0", "cc-\(ids)-01.more",
    ])
  func `refuses a parent when it has another format`(parent: String) {
    #expect(TraceContext(parent: parent, state: "a=1") == nil)
  }

  @Test(
    arguments: [
      "a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1, b=2\t,\tc=3", "a=1,,b=2", "1a-_*/@b=!~",
      "fw529a3039@dt=FfZmFhYmFi",
    ])
  func `keeps a state when it has the W3C format`(state: String) {
    #expect(TraceContext(parent: Self.parent, state: state)?.state == state)
  }

  @Test(
    arguments: [
      "", ",", "a", "=1", "A=1", "a=", "a=1=2", "a=\u{1}", "a=é", "a=1,a=2", "a b=1",
      (0..<33).map { "k\($0)=1" }.joined(separator: ","),
      "\(String(repeating: "k", count: 257))=1", "a=\(String(repeating: "v", count: 257))",
    ])
  func `omits the state and keeps the parent when the state has another format`(state: String) {
    let trace = TraceContext(parent: Self.parent, state: state)
    #expect(trace?.parent == Self.parent)
    #expect(trace?.state == nil)
  }

  @Test func `adds both headers when a task has neither`() {
    var headers: FieldTable? = ["mine": .int8(1)]
    TraceContext(parent: Self.parent, state: "a=1")?.add(to: &headers)
    #expect(headers == ["mine": .int8(1), "traceparent": .text(Self.parent), "tracestate": .text("a=1")])
  }

  @Test func `adds no header when a task has a parent`() {
    var headers: FieldTable? = ["traceparent": .text("mine")]
    TraceContext(parent: Self.parent, state: "a=1")?.add(to: &headers)
    #expect(headers == ["traceparent": .text("mine")])
  }

  @Test func `keeps a task's own state when a parent is added`() {
    var headers: FieldTable? = ["tracestate": .text("mine=1")]
    TraceContext(parent: Self.parent, state: "a=1")?.add(to: &headers)
    #expect(headers == ["tracestate": .text("mine=1"), "traceparent": .text(Self.parent)])
  }
}
