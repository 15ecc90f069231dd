internal import CSystem
internal import Glibc

/// Files without a name, which leave nothing behind.
enum Files {
  /// A sealed file in memory with these bytes: safe as a program's stdin, because nobody can change it.
  static func holding(_ bytes: [UInt8]) throws(SystemError) -> Int32 {
    let file = unsafe csystem_memory_file("workq task")
    guard file >= 0 else { throw SystemError(code: errno) }
    var written = 0
    while written < bytes.count {
      // With pwrite(2), so that the file offset stays at the first byte.
      let count = unsafe bytes[written...].withUnsafeBytes {
        unsafe pwrite(file, $0.baseAddress, $0.count, written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        let code = errno
        close(file)
        throw SystemError(code: code)
      }
      written += count
    }
    csystem_seal(file)
    return file
  }

  /// An empty file to append to, on the disk below `directory` if possible, else in memory.
  static func empty(in directory: String) throws(SystemError) -> Int32 {
    let file = unsafe csystem_unnamed_file(directory)
    if file >= 0 { return file }
    let memory = unsafe csystem_memory_file("workq output")
    guard memory >= 0 else { throw SystemError(code: errno) }
    return memory
  }

  /// Reads what is available, up to `count` bytes.
  static func read(_ count: Int, from descriptor: Int32) -> [UInt8] {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { buffer in
      var count: Int
      repeat {
        count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      } while count < 0 && errno == EINTR
      return unsafe Array(buffer[..<max(count, 0)])
    }
  }

  /// Raises the limit on open descriptors for this number of them, up to the hard limit; commands inherit it.
  static func raiseLimit(toHold count: Int) {
    var limit = rlimit()
    let needed = rlim_t(count + 64)
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < needed
    else { return }
    limit.rlim_cur = min(needed, limit.rlim_max)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// A pipe whose read end, or with `isInput` its write end, is non-blocking.
  static func pipe(isInput: Bool = false) throws(SystemError) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    guard unsafe csystem_pipe(&ends) == 0 else { throw SystemError(code: errno) }
    let nonBlocking = O_NONBLOCK
    _ = fcntl(ends[isInput ? 1 : 0], F_SETFL, nonBlocking)
    return (ends[0], ends[1])
  }
}
