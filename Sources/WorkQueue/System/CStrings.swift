internal import Glibc

/// C strings owned by this object: a command's arguments, or the environment that its runs share.
@safe
final class CStrings {
  private var pointers: [UnsafeMutablePointer<CChar>?]

  /// Copies the strings; C sees a string only up to its first NUL.
  init(_ strings: [[UInt8]]) {
    unsafe pointers = strings.map { unsafe strndup($0.map(CChar.init(bitPattern:)), $0.count) }
  }

  deinit {
    for index in unsafe pointers.indices { unsafe free(pointers[index]) }
  }

  /// Calls `body` with a nil-terminated array of these strings and those of `more` (each ended by a NUL).
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

  /// Their size by exec(2)'s limit, in bytes: the strings, and a pointer for each.
  var size: Int {
    unsafe pointers.reduce(0) { sum, pointer in
      unsafe sum + (pointer.map { unsafe strlen($0) } ?? 0) + 1 + MemoryLayout<Int>.size
    }
  }
}
