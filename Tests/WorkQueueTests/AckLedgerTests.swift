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

  @Test func `neighbours that finished together are acknowledged by one ack`() {
    var ledger = ledger(opened: 3)
    for number in 1...3 as ClosedRange<UInt64> { #expect(ledger.finished(tag(number)) == true) }
    #expect(ledger.flush() == [.init(tag: tag(3), multiple: true)])
    #expect(ledger.flush() == [])
  }

  @Test func `takes the open deliveries for void that came before a moment`() {
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

  @Test func `a single task is acknowledged singly`() {
    var ledger = ledger(opened: 1)
    #expect(ledger.finished(tag(1)) == true)
    #expect(ledger.flush() == [.init(tag: tag(1), multiple: false)])
  }

  @Test func `what follows an unfinished task is acknowledged singly`() {
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

  @Test func `a task of another session is void, and so is one finished twice`() {
    var ledger = ledger(opened: 2)
    #expect(ledger.finished(tag(1, session: 6)) == false)
    #expect(ledger.finished(tag(1)) == true)
    #expect(ledger.finished(tag(1)) == false)
    #expect(ledger.flush() == [.init(tag: tag(1), multiple: false)])
    #expect(ledger.finished(tag(1)) == false)
    #expect(ledger.finished(tag(3)) == false)
  }

  @Test func `a task that was handed back is not acknowledged`() {
    var ledger = ledger(opened: 3)
    ledger.handedBack(tag(2))
    #expect(ledger.finished(tag(1)) == true)
    #expect(ledger.finished(tag(3)) == true)
    // Tag 2 is settled already: "all up to 3" no longer reaches it at the broker.
    #expect(ledger.flush() == [.init(tag: tag(3), multiple: true)])
    #expect(ledger.finished(tag(2)) == false)
  }

  /// A broker that only knows what it was told, against random orders of completion.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func `whatever the order, the broker hears of every finished task and of no other`(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var ledger = AckLedger(session: 7)
    var (delivered, open, finished, handedBack) = (UInt64(0), [UInt64](), Set<UInt64>(), Set<UInt64>())
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
        ledger.handedBack(tag(number))
        outstanding.remove(number)
        handedBack.insert(number)
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
}
