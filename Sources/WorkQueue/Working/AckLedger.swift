internal import AMQP

/// Which deliveries of a session are still open, and so which acknowledgements to send.
///
/// An acknowledgement of several covers every delivery up to its tag, so it may be sent only when all
/// of those are finished; what follows an unfinished delivery is acknowledged singly.
struct AckLedger {
  struct Acknowledgement: Equatable {
    let tag: Delivery.Tag
    let multiple: Bool
  }

  private enum State {
    case open
    case finished
    /// The broker has been told.
    case settled
  }

  let session: Int
  /// The states of the deliveries from the one with the tag number `first` on.
  private var states: [State] = []
  private var first: UInt64 = 1
  /// When each of them came.
  private var received: [Deadline] = []
  /// Finished and not yet told to the broker, in the order in which they finished.
  private var unflushed: [UInt64] = []

  /// How many results the broker is to be told of.
  var unflushedCount: Int { unflushed.count }

  init(session: Int) {
    self.session = session
  }

  /// A delivery has come; tag numbers count up from 1 in each session.
  mutating func opened(_ tag: Delivery.Tag) {
    guard tag.session == session else { return }
    states.append(.open)
    received.append(.now)
  }

  /// Whether the broker still waits for what becomes of this delivery.
  func isOpen(_ tag: Delivery.Tag) -> Bool {
    guard tag.session == session, let index = index(of: tag) else { return false }
    return states[index] == .open
  }

  /// The number of the newest delivery.
  var last: UInt64 { first + UInt64(states.count) - 1 }

  /// Whether nothing up to the delivery of this number is open, or finished without the broker's knowledge.
  func isSettled(upTo last: UInt64) -> Bool {
    guard last >= first else { return true }
    return states.prefix(Int(last - first) + 1).allSatisfy { $0 == .settled }
  }

  /// Takes the open deliveries up to that number for void that came at `moment` or before: the broker has
  /// redelivered them.
  ///
  /// - Returns: how many there were.
  mutating func expire(receivedBy moment: Deadline, upTo last: UInt64) -> Int {
    var count = 0
    for index in states.indices where states[index] == .open && received[index] <= moment {
      guard first + UInt64(index) <= last else { break }
      states[index] = .settled
      count += 1
    }
    return count
  }

  /// A task is done; its acknowledgement is due at the next `flush()`.
  ///
  /// - Returns: whether the broker still waits for it: a delivery of an earlier session is void.
  mutating func finished(_ tag: Delivery.Tag) -> Bool {
    guard set(tag, .finished) else { return false }
    unflushed.append(tag.number)
    return true
  }

  /// A task was given back.
  mutating func handedBack(_ tag: Delivery.Tag) {
    _ = set(tag, .settled)
  }

  /// The acknowledgements that tell the broker of all that has finished: as few as can be.
  mutating func flush() -> [Acknowledgement] {
    guard !unflushed.isEmpty else { return [] }
    defer { unflushed.removeAll(keepingCapacity: true) }
    let prefix = states.firstIndex { $0 == .open } ?? states.count
    let covered = first + UInt64(prefix)  // the first tag number that "all up to" does not reach
    var acks: [Acknowledgement] = []
    let together = unflushed.filter { $0 < covered }
    if let last = together.max() {
      acks.append(acknowledgement(last, multiple: together.count > 1))
    }
    for number in unflushed where number >= covered {
      acks.append(acknowledgement(number, multiple: false))
      states[Int(number - first)] = .settled
    }
    states.removeFirst(prefix)
    received.removeFirst(prefix)
    first = covered
    return acks
  }

  private func acknowledgement(_ number: UInt64, multiple: Bool) -> Acknowledgement {
    Acknowledgement(tag: Delivery.Tag(session: session, number: number), multiple: multiple)
  }

  private mutating func set(_ tag: Delivery.Tag, _ state: State) -> Bool {
    guard isOpen(tag), let index = index(of: tag) else { return false }
    states[index] = state
    return true
  }

  private func index(of tag: Delivery.Tag) -> Int? {
    guard tag.number >= first, tag.number - first < UInt64(states.count) else { return nil }
    return Int(tag.number - first)
  }
}
