/// A first-in, first-out queue; both ends cost the same however long it is.
struct Fifo<Element> {
  private var elements: [Element?]
  private var head = 0

  init(_ elements: [Element] = []) {
    self.elements = elements
  }

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ element: Element) {
    elements.append(element)
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

  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    let element = elements[head]
    elements[head] = nil  // so that a body does not stay in memory
    head += 1
    if head == elements.count || head > 1024 && head > elements.count / 2 {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }
}
