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
