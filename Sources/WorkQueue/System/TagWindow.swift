/// Elements by their increasing tags: unconfirmed messages, deliveries to acknowledge, or running tasks.
///
/// Elements are added in the order of their tags and removed in any order. Both cost O(1) while few are removed
/// before older ones, otherwise O(log n), amortised. Slots of removed elements are kept for at most as many as are
/// present, plus a thousand.
struct TagWindow<Element> {
  private typealias Slot = (tag: UInt64, element: Element?)

  /// Up to this number of slots, those of removed elements are kept.
  private static var fewest: Int { 1024 }

  /// The slots before `head` are empty; the one at `head` is not.
  private var slots: [Slot] = []
  private var head = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  /// Number of elements that memory is reserved for.
  var slotCount: Int { slots.count }

  /// In the order of their tags.
  var elements: some Sequence<Element> { slots[head...].lazy.compactMap(\.element) }

  /// The element with the lowest tag.
  var first: (tag: UInt64, element: Element)? {
    guard head < slots.count, let element = slots[head].element else { return nil }
    return (slots[head].tag, element)
  }

  /// Adds an element; its tag is higher than all others.
  mutating func append(_ element: Element, tag: UInt64) {
    slots.append((tag, element))
    count += 1
  }

  func contains(_ tag: UInt64) -> Bool { self[tag] != nil }

  subscript(tag: UInt64) -> Element? {
    index(of: tag).flatMap { slots[$0].element }
  }

  mutating func remove(_ tag: UInt64) -> Element? {
    guard let index = index(of: tag), let element = slots[index].element.take() else { return nil }
    dropEmpty()
    return element
  }

  /// Removes the element with the lowest tag, if that is `tag` or lower.
  mutating func popFirst(upTo tag: UInt64) -> Element? {
    guard head < slots.count, slots[head].tag <= tag, let element = slots[head].element.take() else {
      return nil
    }
    dropEmpty()
    return element
  }

  /// Removes all, in the order of their tags.
  mutating func removeAll() -> [Element] {
    defer { self = TagWindow() }
    return Array(elements)
  }

  private func index(of tag: UInt64) -> Int? {
    let index = lowerBound(of: tag)
    return index < slots.count && slots[index].tag == tag ? index : nil
  }

  /// The index of the first slot whose tag is not lower.
  private func lowerBound(of tag: UInt64) -> Int {
    guard head < slots.count, tag > slots[head].tag else { return head }
    let distance = tag - slots[head].tag
    var (low, high) = (head + 1, slots.count)
    if distance < UInt64(high - head) {
      // Its index if no slot in between was dropped; otherwise it is before this.
      let guess = head + Int(distance)
      if slots[guess].tag == tag { return guess }
      high = guess
    }
    while low < high {
      let middle = (low + high) / 2
      if slots[middle].tag < tag { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func dropEmpty() {
    count -= 1
    while head < slots.count && slots[head].element == nil { head += 1 }
    if head == slots.count {
      slots.removeAll(keepingCapacity: slots.count <= Self.fewest)
      head = 0
    } else if slots.count > Self.fewest && slots.count > 2 * count {
      slots.removeAll { $0.element == nil }
      head = 0
    }
  }
}
