internal import AMQP

/// The envelopes that are on their way, and what the broker's confirms and returns mean for them.
///
/// A return carries no tag and comes before its envelope's confirm, and returns come in the order of
/// publishing. So one belongs to the first envelope after the last returned one that is equal to it in
/// everything. Envelopes that are equal in everything are as good as one another: what was returned of them
/// is what is accepted of them first, because a broker never refuses what it has returned.
struct ConfirmWindow {
  /// One of them; an object, because a thousand are looked at again and again.
  final class Entry {
    /// The number that its sender knows it by.
    let ticket: Int
    let envelope: Envelope
    let size: Int
    let sent: Deadline
    /// The confirm's tag.
    fileprivate let tag: UInt64
    fileprivate var returned: String?
    fileprivate var isSettled = false

    fileprivate init(_ envelope: Envelope, ticket: Int, tag: UInt64) {
      (self.envelope, self.ticket, self.tag) = (envelope, ticket, tag)
      size = envelope.size
      sent = .now
    }
  }

  /// In the order of their tags, apart from gaps that settled ones leave until they come first.
  private var entries: [Entry] = []
  private var head = 0
  /// Where the search for the next returned one begins.
  private var nextReturn = 0
  private(set) var count = 0
  private(set) var bytes = 0
  /// How many of them have come back.
  private var returnedCount = 0

  var isEmpty: Bool { count == 0 }

  /// When the one that waits longest was sent.
  var oldest: Deadline? { head < entries.count ? entries[head].sent : nil }

  mutating func sent(_ envelope: Envelope, ticket: Int, tag: UInt64) {
    entries.append(Entry(envelope, ticket: ticket, tag: tag))
    count += 1
    bytes += entries[entries.count - 1].size
  }

  /// A mandatory message came back.
  mutating func returned(_ message: ReturnedMessage) {
    let start = max(head, nextReturn)
    let candidates = [start..<entries.count, head..<start].lazy.joined()
    let isCandidate = { (entry: Entry) in !entry.isSettled && entry.returned == nil }
    let index =
      candidates.first { isCandidate(entries[$0]) && entries[$0].envelope.isReturned(as: message) }
      // A broker that changed something in it on the way: the id has to do.
      ?? candidates.first {
        isCandidate(entries[$0])
          && entries[$0].envelope.message.properties.messageID == message.message.properties.messageID
      }
    guard let index else { return }
    entries[index].returned = message.reason
    returnedCount += 1
    nextReturn = index + 1
  }

  /// A confirm came.
  ///
  /// - Returns: the envelopes that it settles, in the order of publishing.
  mutating func confirmed(tag: UInt64, multiple: Bool, accepted: Bool) -> [(entry: Entry, verdict: Verdict)] {
    var settled: [(Entry, Verdict)] = []
    for index in head..<entries.count {
      let entry = entries[index]
      guard entry.tag <= tag else { break }
      guard !entry.isSettled, multiple || entry.tag == tag else { continue }
      entry.isSettled = true
      settled.append((entry, verdict(of: entry, accepted: accepted)))
      count -= 1
      bytes -= entry.size
    }
    dropSettled()
    return settled
  }

  private mutating func verdict(of entry: Entry, accepted: Bool) -> Verdict {
    if !accepted {
      if let reason = entry.returned { twin(of: entry, isReturned: false)?.returned = reason }
      return .declined(reason: "the queue is full, or cannot take it now")
    }
    if entry.returned == nil, returnedCount > 0, let twin = twin(of: entry, isReturned: true) {
      swap(&entry.returned, &twin.returned)
    }
    guard let reason = entry.returned else { return .confirmed }
    returnedCount -= 1
    return .unroutable(reason: reason)
  }

  /// Another envelope, equal to this one, whose fate is open.
  private func twin(of entry: Entry, isReturned: Bool) -> Entry? {
    entries[head...].first {
      !$0.isSettled && ($0.returned != nil) == isReturned && $0.envelope == entry.envelope
    }
  }

  /// Takes all that is not settled out of the window, in order: its fate on this channel is unknown.
  mutating func removeAll() -> [Entry] {
    defer { self = ConfirmWindow() }
    return entries[head...].filter { !$0.isSettled }
  }

  private mutating func dropSettled() {
    while head < entries.count && entries[head].isSettled { head += 1 }
    guard head == entries.count || head > 1024 else { return }
    entries.removeFirst(head)
    nextReturn = max(0, nextReturn - head)
    head = 0
  }
}
