import Foundation
import TestSupport
import Testing

/// `workq declare` and `workq purge`.
@Suite(.waiting) struct QueueTests {
  private func publish(_ count: Int, to queue: String) throws {
    for number in 0..<count {
      try expect(Program.workq("publish", "-q", queue, "task \(number)").run().status, equals: 0)
    }
  }

  @Test func `declare creates a missing queue as durable and prints its tasks and consumers`() throws {
    let queue = freshQueue()
    let declare = try Program.workq("declare", queue).run()
    #expect(declare.status == 0)
    #expect(declare.error == "")
    #expect(declare.output == "\(queue): 0 waiting, 0 consumers\n")
    try expect(Program.workq("declare", "--durable", queue).run().status, equals: 0)
    try publish(2, to: queue)
    try expect(Program.workq("declare", queue).run().output, equals: "\(queue): 2 waiting, 0 consumers\n")
  }

  @Test func `declare uses --queue or WORKQ_QUEUE when its arguments name no queue`() throws {
    let queue = freshQueue()
    #expect(try Program.workq("declare", "-q", queue).run().output.hasPrefix("\(queue): "))
    var program = Program.workq("declare", "--check")
    program.environment["WORKQ_QUEUE"] = queue
    #expect(try program.run().output.hasPrefix("\(queue): "))
  }

  @Test func `declare accepts an existing queue with other arguments`() throws {
    let queue = freshQueue()
    try Peer.declare(queue, #"{"x-queue-type": "quorum", "x-max-length": 7}"#)
    let declare = try Program.workq("declare", queue).run()
    #expect(declare.status == 0)
    #expect(declare.output == "\(queue): 0 waiting, 0 consumers\n")
  }

  @Test func `declare --check creates nothing and exits with 78 when a queue is missing`() throws {
    let (here, missing) = (freshQueue(), freshQueue())
    try expect(Program.workq("declare", here).run().status, equals: 0)
    for _ in 0..<2 {
      let check = try Program.workq("declare", "--check", here, missing).run()
      #expect(check.status == 78)
      #expect(check.output == "\(here): 0 waiting, 0 consumers\n")
      #expect(check.error == "workq: 127.0.0.1:\(Broker.shared.port)/: no such queue: '\(missing)'\n")
    }
  }

  @Test func `declare --json prints one object per queue`() throws {
    let (first, second) = (freshQueue(), freshQueue())
    try expect(Program.workq("declare", first).run().status, equals: 0)
    let declare = try Program.workq("declare", "--json", first, second).run()
    let objects = try declare.outputLines.map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(objects.map { $0["queue"] as? String } == [first, second])
    #expect(objects.map { $0["waiting"] as? Int } == [0, 0])
    #expect(objects.map { $0["consumers"] as? Int } == [0, 0])
    #expect(objects.map { $0["created"] as? Bool } == [false, true])
  }

  /// The 406 error is explained: the property, the requested value and the broker's value.
  @Test func `declare exits with 78 and lists the difference when a queue has another property`() throws {
    let queue = freshQueue()
    try expect(Program.workq("declare", queue).run().status, equals: 0)
    let declare = try Program.workq("declare", "--transient", queue).run()
    #expect(declare.status == 78)
    #expect(declare.output == "")
    #expect(declare.error.contains("queue '\(queue)' exists with other properties"))
    #expect(declare.error.firstMatch(of: /property +asked for +the broker has/) != nil)
    #expect(declare.error.firstMatch(of: /durable +false +true/) != nil, "\(declare.error)")
  }

  @Test func `purge --force removes the waiting tasks and prints their number`() throws {
    let queue = freshQueue()
    try publish(3, to: queue)
    let purge = try Program.workq("purge", "--force", queue).run()
    #expect(purge.status == 0)
    #expect(purge.error == "")
    #expect(purge.output == "\(queue): 3 removed\n")
    try expectWaiting(in: queue, equals: 0)
  }

  @Test func `purge exits with 64 and removes nothing without --force and without a terminal`() throws {
    let queue = freshQueue()
    try publish(1, to: queue)
    let purge = try Program.workq("purge", queue).run(input: Array("y\n".utf8))
    #expect(purge.status == 64)
    #expect(purge.output == "")
    #expect(purge.error.contains("--force"))
    try expectWaiting(in: queue, equals: 1)
  }

  @Test(arguments: [("y\n", 0), ("yes\n", 0), ("n\n", 2), ("\n", 2), ("yup\n", 2), ("\u{4}", 2)])
  func `purge names queue, broker and count when it asks at a terminal`(answer: String, left: Int) throws {
    let queue = freshQueue()
    try publish(2, to: queue)
    let purge = try Program.workq("purge", queue).inTerminal().start()
    let place = "'\(queue)' at 127.0.0.1:\(Broker.shared.port)/"
    try purge.waitForOutput("Remove the 2 waiting tasks of \(place)? [y/N] ")
    try expectWaiting(in: queue, equals: 2)
    try purge.type(answer)
    let result = try purge.end()
    #expect(result.output.contains("\(queue): 2 removed") == (left == 0))
    try expectWaiting(in: queue, equals: left)
  }

  @Test func `purge exits with 78 when the queue is missing`() throws {
    let queue = freshQueue()
    let purge = try Program.workq("purge", "--force", queue).run()
    #expect(purge.status == 78)
    #expect(purge.output == "")
    #expect(purge.error.contains("cannot purge queue '\(queue)': there is no such queue"))
  }
}
