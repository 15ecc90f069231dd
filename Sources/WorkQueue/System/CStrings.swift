internal import Glibc

/// C strings that live as long as this object: a command's words, the environment that its runs share.
@safe
final class CStrings {
  private var pointers: [UnsafeMutablePointer<CChar>?]

  /// Copies the strings; what follows a NUL in one of them is not seen.
  init(_ strings: [[UInt8]]) {
    unsafe pointers = strings.map { unsafe strndup($0.map(CChar.init(bitPattern:)), $0.count) }
  }

  deinit {
    for index in unsafe pointers.indices { unsafe free(pointers[index]) }
  }

  /// Hands `body` these strings, and after them those of `more` (each ended by a NUL), as an array that
  /// nil ends.
  func withArray<Result>(
    and more: [UInt8], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var more = more
    return unsafe more.withUnsafeMutableBytes { bytes in
      var array = unsafe pointers
      unsafe array.reserveCapacity(array.count + 24)
      var start = 0
      while start < bytes.count, let base = bytes.baseAddress {
        let string = unsafe (base + start).assumingMemoryBound(to: CChar.self)
        unsafe array.append(string)
        start += unsafe strlen(string) + 1
      }
      unsafe array.append(nil)
      return unsafe body(&array)
    }
  }

  /// The room that they take of what exec(2) allows: their bytes, and a pointer for each.
  var size: Int {
    unsafe pointers.reduce(0) { sum, pointer in
      unsafe sum + (pointer.map { unsafe strlen($0) } ?? 0) + 1 + MemoryLayout<Int>.size
    }
  }
}
