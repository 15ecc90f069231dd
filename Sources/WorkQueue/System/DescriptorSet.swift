/// A set of descriptors, which looks them up without hashing and keeps its memory.
struct DescriptorSet: Sequence {
  private var members: [Int32] = []
  /// A bit for each descriptor.
  private var words: [UInt64] = []

  mutating func insert(_ descriptor: Int32) {
    let (word, bit) = Self.place(of: descriptor)
    if word >= words.count { words += [UInt64](repeating: 0, count: word + 1 - words.count) }
    guard words[word] & bit == 0 else { return }
    words[word] |= bit
    members.append(descriptor)
  }

  mutating func removeAll() {
    for descriptor in members { words[Self.place(of: descriptor).word] = 0 }
    members.removeAll(keepingCapacity: true)
  }

  func contains(_ descriptor: Int32) -> Bool {
    guard descriptor >= 0 else { return false }
    let (word, bit) = Self.place(of: descriptor)
    return word < words.count && words[word] & bit != 0
  }

  func makeIterator() -> some IteratorProtocol<Int32> { members.makeIterator() }

  private static func place(of descriptor: Int32) -> (word: Int, bit: UInt64) {
    (Int(descriptor) >> 6, 1 << UInt64(descriptor & 63))
  }
}
