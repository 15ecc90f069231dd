internal import AMQP

/// The open deliveries of a session, from which follows which acknowledgements to send.
///
/// A multiple acknowledgement covers every delivery up to its tag, so it may be sent only when all of these are
/// finished; deliveries after an unfinished one are acknowledged singly.
struct AckLedger {
  struct Acknowledgement: Equatable {
    let tag: Delivery.Tag
    let multiple: Bool
  }

  let session: Int
  /// The arrival times of the deliveries that are neither finished nor requeued.
  private var open = TagWindow<Deadline>()
  /// Finished and not yet acknowledged, in the order in which they finished.
  private var unflushed: [UInt64] = []
  /// The number of the newest delivery.
  private(set) var last: UInt64 = 0

  /// Number of finished deliveries that are not acknowledged.
  var unflushedCount: Int { unflushed.count }

  /// Number of deliveries that memory is reserved for.
  var slots: Int { open.slotCount }

  init(session: Int) {
    self.session = session
  }

  /// A delivery has arrived; tag numbers count up from 1 in each session.
  mutating func opened(_ tag: Delivery.Tag) {
    guard tag.session == session else { return }
    open.append(.now, tag: tag.number)
    last = tag.number
  }

  /// Whether the broker still waits for this delivery to be settled.
  func isOpen(_ tag: Delivery.Tag) -> Bool {
    tag.session == session && open.contains(tag.number)
  }

  /// Whether nothing up to the delivery of this number is open, or finished and not acknowledged.
  func isSettled(upTo last: UInt64) -> Bool {
    open.first.map { $0.tag > last } ?? true && unflushed.allSatisfy { $0 > last }
  }

  /// Removes the open deliveries up to number `last` that arrived at `moment` or before, as stale: the broker has
  /// redelivered them.
  ///
  /// - Returns: how many there were.
  mutating func expire(receivedBy moment: Deadline, upTo last: UInt64) -> Int {
    var count = 0
    while let (_, received) = open.first, received <= moment, open.popFirst(upTo: last) != nil { count += 1 }
    return count
  }

  /// A task is done; its acknowledgement is due at the next `flush()`.
  ///
  /// - Returns: whether the broker still waits for it: a delivery of an earlier session is stale.
  mutating func finished(_ tag: Delivery.Tag) -> Bool {
    guard tag.session == session, open.remove(tag.number) != nil else { return false }
    unflushed.append(tag.number)
    return true
  }

  /// A task was requeued or rejected.
  mutating func requeued(_ tag: Delivery.Tag) {
    if tag.session == session { _ = open.remove(tag.number) }
  }

  /// The acknowledgements of all finished deliveries, as few as possible.
  mutating func flush() -> [Acknowledgement] {
    guard !unflushed.isEmpty else { return [] }
    defer { unflushed.removeAll(keepingCapacity: true) }
    // "All up to" a tag must not reach this one.
    let firstOpen = open.first?.tag ?? .max
    var acks: [Acknowledgement] = []
    let together = unflushed.filter { $0 < firstOpen }
    if let last = together.max() { acks.append(acknowledgement(last, multiple: together.count > 1)) }
    for number in unflushed where number > firstOpen { acks.append(acknowledgement(number, multiple: false)) }
    return acks
  }

  private func acknowledgement(_ number: UInt64, multiple: Bool) -> Acknowledgement {
    Acknowledgement(tag: Delivery.Tag(session: session, number: number), multiple: multiple)
  }
}
