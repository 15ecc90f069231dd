/// A first-in, first-out queue; adding and removing cost O(1).
///
/// It is in the module that uses it: across modules it would not be specialised, which costs a worker a quarter of
/// its CPU time.
struct Fifo<Element> {
  private var elements: [Element?]
  private var head = 0

  /// Contains these elements.
  init(_ elements: [Element] = []) {
    self.elements = elements
  }

  /// The number of elements.
  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? { head < elements.count ? elements[head] : nil }

  /// Adds an element at the end.
  mutating func append(_ element: Element) {
    elements.append(element)
  }

  /// Inserts elements before all others, in their order.
  mutating func prepend(_ elements: [Element]) {
    guard !elements.isEmpty else { return }
    self.elements.replaceSubrange(..<head, with: elements.map(Optional.some))
    head = 0
  }

  /// Takes out the elements for which `isWanted` holds; the others keep their order.
  mutating func remove(where isWanted: (Element) -> Bool) -> [Element] {
    var (kept, removed): ([Element], [Element]) = ([], [])
    while let element = popFirst() {
      if isWanted(element) { removed.append(element) } else { kept.append(element) }
    }
    self = Fifo(kept)
    return removed
  }

  /// Takes the first element out; nil when there is none.
  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    let element = elements[head]
    elements[head] = nil  // so that a body does not stay in memory
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 1024 && head > elements.count / 2 {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }
}
