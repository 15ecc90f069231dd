import Foundation
import TestSupport
import Testing

/// W3C trace context passes from the publisher to the command, also across retries, parking and moves.
@Suite(.waiting) struct TracePropagationTests {
  private let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  private let state = "rojo=00f067aa0ba902b7"
  private let queue = freshQueue("trace")

  private func publish(_ arguments: [String], parent: String?, state: String? = nil, input: String? = nil)
    throws
    -> Program.Result
  {
    var program = Program.workq(["publish", "-q", queue] + arguments)
    (program.environment["TRACEPARENT"], program.environment["TRACESTATE"]) = (parent, state)
    let result = try program.run(input: input.map { Array($0.utf8) })
    #expect(result.status == 0, "\(result.error)")
    return result
  }

  private func headers() throws -> [String: String]? {
    try SeenMessage.take(from: queue)?.headers as? [String: String]
  }

  @Test func `publishes TRACEPARENT and TRACESTATE as headers`() throws {
    _ = try publish(["task"], parent: parent, state: state)
    try expect(headers(), equals: ["traceparent": parent, "tracestate": state])
  }

  @Test func `an explicit traceparent header replaces TRACEPARENT and TRACESTATE`() throws {
    _ = try publish(["-H", "traceparent=mine", "task"], parent: parent, state: state)
    try expect(headers(), equals: ["traceparent": "mine"])
    let record = #"{"body": "task", "headers": {"traceparent": "mine"}}"#
    _ = try publish(["--jsonl"], parent: parent, state: state, input: record)
    try expect(headers(), equals: ["traceparent": "mine"])
  }

  @Test func `ignores a malformed TRACEPARENT and reports that with -v`() throws {
    let quiet = try publish(["task"], parent: "00-malformed", state: state)
    #expect(quiet.error == "")
    try expect(headers(), equals: [:])
    let verbose = try publish(["-v", "task"], parent: "00-malformed")
    #expect(verbose.error.contains("ignoring TRACEPARENT: it is not in the form of W3C Trace Context"))
  }

  @Test func `passes the task's trace to the command, not that of the worker's environment`() throws {
    _ = try publish(["with"], parent: parent, state: state)
    _ = try publish(["without"], parent: nil)
    var worker = worker(
      queue, ["--drain"], script: "cat; echo \" ${TRACEPARENT-unset} ${TRACESTATE-unset}\"")
    worker.environment["TRACEPARENT"] = "00-11111111111111111111111111111111-1111111111111111-01"
    worker.environment["TRACESTATE"] = "outer=1"
    try expect(worker.run().outputLines, equals: ["with \(parent) \(state)", "without unset unset"])
  }

  @Test func `keeps the trace when a task is retried, parked and moved back`() throws {
    _ = try publish(["task"], parent: parent, state: state)
    let script = "echo \"$TRACEPARENT $TRACESTATE\"; exit 1"
    let options = ["--max-attempts", "2", "--retry-delay", "100ms", "--drain", "--wait-for-retries"]
    let failed = try worker(queue, options, script: script).run()
    #expect(failed.status == 1)
    #expect(failed.outputLines == ["\(parent) \(state)", "\(parent) \(state)"])
    try expect(Program.workq("retry", queue).run().status, equals: 0)
    try expect(
      worker(queue, ["--drain"], script: "echo \"$TRACEPARENT $TRACESTATE\"").run().outputLines,
      equals: ["\(parent) \(state)"])
  }
}
