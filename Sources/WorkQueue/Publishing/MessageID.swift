internal import Glibc

/// Makes message ids: random UUIDs (version 4) as text.
///
/// Foundation's UUIDs need a system call and a printf(3) each: a fifth of the CPU time of publishing a small task.
package struct MessageID: ~Copyable {
  private static let size = 16

  /// As many random bytes as one system call returns.
  private var random = [UInt8](repeating: 0, count: 16 * Self.size)
  private var used: Int

  package init() {
    used = random.count
  }

  /// A new id: "b6f0a7f2-4d5b-4c36-9d3e-5b1f6f0c9a11".
  package mutating func next() -> String {
    if used == random.count { refill() }
    let start = used
    used += Self.size
    random[start + 6] = random[start + 6] & 0x0f | 0x40
    random[start + 8] = random[start + 8] & 0x3f | 0x80
    return unsafe String(unsafeUninitializedCapacity: 36) { text in
      var end = 0
      for index in 0..<Self.size {
        if index == 4 || index == 6 || index == 8 || index == 10 {
          unsafe text[end] = UInt8(ascii: "-")
          end += 1
        }
        let byte = random[start + index]
        unsafe text[end] = Self.digit(byte >> 4)
        unsafe text[end + 1] = Self.digit(byte & 0x0f)
        end += 2
      }
      return end
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  private mutating func refill() {
    let code = unsafe random.withUnsafeMutableBytes { unsafe getentropy($0.baseAddress, $0.count) }
    precondition(code == 0, "the system has no random numbers")
    used = 0
  }
}
