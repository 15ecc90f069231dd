internal import Glibc

/// Makes message ids: random UUIDs (version 4) as text.
///
/// Foundation's take a call to the system for the randomness of each, and printf(3) for its text: a fifth
/// of what a small task costs us.
package struct MessageID: ~Copyable {
  private static let digits = Array("0123456789abcdef".utf8)
  private static let size = 16

  /// As much as one call to the system gives.
  private var random = [UInt8](repeating: 0, count: 16 * Self.size)
  private var used: Int

  package init() {
    used = random.count
  }

  /// A new id: "b6f0a7f2-4d5b-4c36-9d3e-5b1f6f0c9a11".
  package mutating func next() -> String {
    if used == random.count { refill() }
    var bytes = random[used..<used + Self.size]
    used += Self.size
    let start = bytes.startIndex
    bytes[start + 6] = bytes[start + 6] & 0x0f | 0x40
    bytes[start + 8] = bytes[start + 8] & 0x3f | 0x80
    return unsafe String(unsafeUninitializedCapacity: 36) { text in
      var end = 0
      for (index, byte) in bytes.enumerated() {
        if [4, 6, 8, 10].contains(index) {
          unsafe text[end] = UInt8(ascii: "-")
          end += 1
        }
        unsafe text[end] = Self.digits[Int(byte >> 4)]
        unsafe text[end + 1] = Self.digits[Int(byte & 0x0f)]
        end += 2
      }
      return end
    }
  }

  private mutating func refill() {
    let code = unsafe random.withUnsafeMutableBytes { unsafe getentropy($0.baseAddress, $0.count) }
    precondition(code == 0, "the system has no random numbers")
    used = 0
  }
}
