import AMQP
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct AckLedgerTests {
  private func tag(_ number: UInt64, session: Int = 7) -> Delivery.Tag {
    Delivery.Tag(session: session, number: number)
  }

  private func ledger(opened count: UInt64) -> AckLedger {
    var ledger = AckLedger(session: 7)
    for number in 1...count { ledger.opened(tag(number)) }
    return ledger
  }

  @Test func `the ledger acknowledges consecutive finished tasks with one multiple ack`() {
    var ledger = ledger(opened: 3)
    for number in 1...3 as ClosedRange<UInt64> { #expect(ledger.finished(tag(number)) == true) }
    #expect(ledger.flush() == [.init(tag: tag(3), multiple: true)])
    #expect(ledger.flush() == [])
  }

  @Test func `the ledger expires open deliveries up to a tag that arrived before a given time`() {
    var ledger = ledger(opened: 3)
    #expect(ledger.finished(tag(1)) == true)
    let moment = Deadline.now
    ledger.opened(tag(4))
    #expect(ledger.expire(receivedBy: moment, upTo: 2) == 1)
    #expect(ledger.isOpen(tag(2)) == false)
    #expect(ledger.isOpen(tag(3)) == true)
    #expect(ledger.expire(receivedBy: moment, upTo: 4) == 1)
    #expect(ledger.isOpen(tag(3)) == false)
    #expect(ledger.isOpen(tag(4)) == true)
    #expect(ledger.finished(tag(2)) == false)
    #expect(ledger.flush() == [.init(tag: tag(1), multiple: false)])
    #expect(ledger.isSettled(upTo: 3) == true)
    #expect(ledger.isSettled(upTo: 4) == false)
    #expect(ledger.last == 4)
  }

  @Test func `the ledger acknowledges a single task without the multiple flag`() {
    var ledger = ledger(opened: 1)
    #expect(ledger.finished(tag(1)) == true)
    #expect(ledger.flush() == [.init(tag: tag(1), multiple: false)])
  }

  @Test func `the ledger acknowledges each task after an unfinished one singly`() {
    var ledger = ledger(opened: 4)
    for number in [1, 3, 4] as [UInt64] { #expect(ledger.finished(tag(number)) == true) }
    #expect(
      ledger.flush() == [
        .init(tag: tag(1), multiple: false), .init(tag: tag(3), multiple: false),
        .init(tag: tag(4), multiple: false),
      ])
    #expect(ledger.finished(tag(2)) == true)
    #expect(ledger.flush() == [.init(tag: tag(2), multiple: false)])
  }

  @Test func `a task is stale when it is from another session, already finished or never delivered`() {
    var ledger = ledger(opened: 2)
    #expect(ledger.finished(tag(1, session: 6)) == false)
    #expect(ledger.finished(tag(1)) == true)
    #expect(ledger.finished(tag(1)) == false)
    #expect(ledger.flush() == [.init(tag: tag(1), multiple: false)])
    #expect(ledger.finished(tag(1)) == false)
    #expect(ledger.finished(tag(3)) == false)
  }

  @Test func `a requeued task does not prevent a multiple ack, and its later result is stale`() {
    var ledger = ledger(opened: 3)
    ledger.requeued(tag(2))
    #expect(ledger.finished(tag(1)) == true)
    #expect(ledger.finished(tag(3)) == true)
    // Tag 2 is already settled at the broker: the multiple ack up to 3 does not affect it.
    #expect(ledger.flush() == [.init(tag: tag(3), multiple: true)])
    #expect(ledger.finished(tag(2)) == false)
  }

  /// Models the broker's unsettled deliveries, and finishes tasks in random order.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func `the ledger acknowledges exactly the finished tasks when they finish in random order`(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var ledger = AckLedger(session: 7)
    var (delivered, open, finished, released) = (UInt64(0), [UInt64](), Set<UInt64>(), Set<UInt64>())
    var outstanding = Set<UInt64>()
    for _ in 0..<300 {
      switch Int.random(in: 0..<5, using: &random) {
      case 0, 1:
        delivered += 1
        ledger.opened(tag(delivered))
        open.append(delivered)
        outstanding.insert(delivered)
      case 2 where !open.isEmpty:
        let number = open.remove(at: .random(in: open.indices, using: &random))
        #expect(ledger.finished(tag(number)) == true)
        finished.insert(number)
      case 3 where !open.isEmpty:
        let number = open.remove(at: .random(in: open.indices, using: &random))
        ledger.requeued(tag(number))
        outstanding.remove(number)
        released.insert(number)
      case 4:
        for ack in ledger.flush() {
          let covered = outstanding.filter { ack.multiple ? $0 <= ack.tag.number : $0 == ack.tag.number }
          #expect(!covered.isEmpty, "an ack of nothing is a protocol error")
          #expect(covered.isSubset(of: finished), "an ack for unfinished work")
          outstanding.subtract(covered)
        }
        #expect(outstanding == Set(open), "something finished was left unacknowledged")
      default: break
      }
    }
  }

  /// With this many open deliveries, a linear scan for each finished task would take minutes.
  @Test(arguments: ConfirmWindowTests.Order.allCases, [1, 100])
  func `the ledger acknowledges each of 100,000 tasks once when they finish in any order`(
    order: ConfirmWindowTests.Order, endsPerFlush: Int
  ) {
    let count = 100_000
    var ledger = ledger(opened: UInt64(count))
    var isAcknowledged = [Bool](repeating: false, count: count + 1)
    var (isFinished, reached, wrong) = (isAcknowledged, 0, 0)
    for (index, number) in order.tags(count).enumerated() {
      if !ledger.finished(tag(number)) { wrong += 1 }
      isFinished[Int(number)] = true
      guard index % endsPerFlush == endsPerFlush - 1 else { continue }
      for ack in ledger.flush() {
        let last = Int(ack.tag.number)
        if isAcknowledged[last] || !isFinished[last] { wrong += 1 }
        isAcknowledged[last] = true
        guard ack.multiple else { continue }
        while reached < last {
          reached += 1
          if !isFinished[reached] { wrong += 1 }
          isAcknowledged[reached] = true
        }
      }
    }
    #expect(wrong == 0)
    #expect(isAcknowledged.dropFirst().allSatisfy { $0 })
    #expect(ledger.isSettled(upTo: UInt64(count)) == true)
  }

  @Test func `the ledger frees the memory of finished tasks while the first task is running`() {
    var ledger = AckLedger(session: 7)
    ledger.opened(tag(1))
    for number in 2...100_000 as ClosedRange<UInt64> {
      ledger.opened(tag(number))
      _ = ledger.finished(tag(number))
      _ = ledger.flush()
    }
    #expect(ledger.isOpen(tag(1)) == true)
    #expect(ledger.isOpen(tag(2)) == false)
    #expect(ledger.slots <= 2048)
  }
}
