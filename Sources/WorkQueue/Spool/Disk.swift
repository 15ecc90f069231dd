internal import AMQP
internal import Glibc

/// All system calls of a spool, in one place, so that a test can intercept each of them.
struct Disk {
  struct Call: Equatable {
    enum Name {
      case access, list, lock, makeDirectory, open, read, remove, rename, resolve, status, sync, write
    }

    let name: Name
    let path: FilePath
    /// The new name, for a rename.
    var target: FilePath?
  }

  enum Interference {
    /// The call fails with this errno, without effect.
    case failure(Int32)
    /// A read or write gets no more than this many bytes.
    case atMost(Int)
  }

  /// Called before each system call; set only by tests.
  var intercept: (Call) -> Interference? = { _ in nil }

  /// Nanoseconds since 1970.
  var clock: () -> UInt64 = {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(max(time.tv_sec, 0)) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// A file that is closed when its owner releases it.
  struct OpenFile: ~Copyable {
    let path: FilePath
    fileprivate let descriptor: Int32

    deinit { close(descriptor) }
  }

  // MARK: Files

  /// Opens a file, without following a symbolic link; a new file has mode 0600.
  func open(
    _ path: FilePath, _ flags: Int32, otherwise kind: SpoolError.Kind = .unwritable
  ) throws(SpoolError) -> OpenFile {
    let flags = flags | O_CLOEXEC | (flags & O_DIRECTORY == 0 ? O_NOFOLLOW : 0)
    let descriptor = try run(Call(name: .open, path: path), otherwise: kind) { _ in
      Int(unsafe Glibc.open(path.cString, flags, 0o600))
    }
    return OpenFile(path: path, descriptor: Int32(descriptor))
  }

  /// Writes all bytes, in as many calls as the kernel needs.
  func write(_ bytes: [UInt8], to file: borrowing OpenFile) throws(SpoolError) {
    let descriptor = file.descriptor
    var written = 0
    while written < bytes.count {
      written += try run(Call(name: .write, path: file.path)) { limit in
        unsafe bytes.withUnsafeBytes {
          let rest = unsafe UnsafeRawBufferPointer(rebasing: $0[written...])
          return unsafe Glibc.write(descriptor, rest.baseAddress, min(rest.count, limit))
        }
      }
    }
  }

  /// Reads this number of bytes; fewer only at the end of the file.
  func read(_ count: Int, from file: borrowing OpenFile) throws(SpoolError) -> [UInt8] {
    let descriptor = file.descriptor
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let result = try run(Call(name: .read, path: file.path), otherwise: .unreadable) { limit in
        unsafe bytes.withUnsafeMutableBytes {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: $0[filled...])
          return unsafe Glibc.read(descriptor, rest.baseAddress, min(rest.count, limit))
        }
      }
      if result == 0 { return Array(bytes[..<filled]) }
      filled += result
    }
    return bytes
  }

  /// Waits until everything written has reached the disk (fsync).
  func sync(_ file: borrowing OpenFile) throws(SpoolError) {
    let descriptor = file.descriptor
    _ = try run(Call(name: .sync, path: file.path)) { _ in Int(fsync(descriptor)) }
  }

  /// Locks the file if no other process has the lock; closing the file releases it.
  func lock(_ file: borrowing OpenFile) throws(SpoolError) -> Bool {
    let descriptor = file.descriptor
    do throws(SpoolError) {
      _ = try run(Call(name: .lock, path: file.path)) { _ in Int(flock(descriptor, LOCK_EX | LOCK_NB)) }
      return true
    } catch let error where error.code == EWOULDBLOCK {
      return false
    }
  }

  /// The size, if it is a regular file, and its number of hard links.
  func status(_ file: borrowing OpenFile) throws(SpoolError) -> (size: Int?, names: Int) {
    let descriptor = file.descriptor
    var status = stat()
    _ = try run(Call(name: .status, path: file.path), otherwise: .unreadable) { _ in
      Int(unsafe fstat(descriptor, &status))
    }
    return (status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil, Int(status.st_nlink))
  }

  // MARK: Names

  func rename(_ path: FilePath, to target: FilePath) throws(SpoolError) {
    _ = try run(Call(name: .rename, path: path, target: target)) { _ in
      Int(unsafe Glibc.rename(path.cString, target.cString))
    }
  }

  func remove(_ path: FilePath) throws(SpoolError) {
    _ = try run(Call(name: .remove, path: path)) { _ in Int(unsafe unlink(path.cString)) }
  }

  /// Whether the name exists.
  func exists(_ path: FilePath) throws(SpoolError) -> Bool {
    do throws(SpoolError) {
      try access(path, F_OK)
      return true
    } catch let error where error.code == ENOENT {
      return false
    }
  }

  // MARK: Directories

  /// Creates a directory and its parents with mode 0700; existing ones do not change.
  func makeDirectories(_ path: FilePath) throws(SpoolError) {
    do throws(SpoolError) {
      try makeDirectory(path)
    } catch let error where error.code == ENOENT {
      guard let parent = Self.parent(of: path) else { throw error }
      try makeDirectories(parent)
      try makeDirectory(path)
    }
  }

  private func makeDirectory(_ path: FilePath) throws(SpoolError) {
    do throws(SpoolError) {
      _ = try run(Call(name: .makeDirectory, path: path)) { _ in Int(unsafe mkdir(path.cString, 0o700)) }
    } catch let error where error.code == EEXIST {}
  }

  /// The parent directory, by the path's text; nil for a path with one component.
  static func parent(of path: FilePath) -> FilePath? {
    let slash = UInt8(ascii: "/")
    guard let end = path.bytes.lastIndex(where: { $0 != slash }),
      let last = path.bytes[...end].lastIndex(of: slash)
    else { return nil }
    return last == 0 ? "/" : FilePath(bytes: Array(path.bytes[..<last]))
  }

  /// The path without symbolic links and dots.
  func resolve(_ path: FilePath) throws(SpoolError) -> FilePath {
    var resolved = path
    _ = try run(Call(name: .resolve, path: path)) { _ in
      guard let result = unsafe realpath(path.cString, nil) else { return -1 }
      resolved = unsafe FilePath(bytes: [UInt8](UnsafeRawBufferPointer(start: result, count: strlen(result))))
      unsafe free(result)
      return 0
    }
    return resolved
  }

  /// Throws if files there cannot be created, found and removed.
  func checkIsWritable(directory: FilePath) throws(SpoolError) {
    try access(directory, R_OK | W_OK | X_OK)
  }

  private func access(_ path: FilePath, _ mode: Int32) throws(SpoolError) {
    _ = try run(Call(name: .access, path: path)) { _ in
      Int(unsafe faccessat(AT_FDCWD, path.cString, mode, AT_EACCESS))
    }
  }

  /// Waits until the directory's entries have reached the disk (fsync).
  func sync(directory: FilePath) throws(SpoolError) {
    try sync(try open(directory, O_RDONLY | O_DIRECTORY))
  }

  /// The names in a directory, in no order.
  func list(_ directory: FilePath) throws(SpoolError) -> [String] {
    var names: [String] = []
    _ = try run(Call(name: .list, path: directory), otherwise: .unreadable) { _ in
      guard let stream = unsafe opendir(directory.cString) else { return -1 }
      defer { unsafe closedir(stream) }
      names = []
      while true {
        errno = 0
        guard let entry = unsafe readdir(stream) else { return errno == 0 ? 0 : -1 }
        unsafe names.append(
          withUnsafeBytes(of: &entry.pointee.d_name) { name in
            unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
          })
      }
    }
    return names
  }

  /// Makes a call, and repeats it on EINTR; `body` returns a negative number when errno has the reason.
  private func run(
    _ call: Call, otherwise kind: SpoolError.Kind = .unwritable, _ body: (_ limit: Int) -> Int
  ) throws(SpoolError) -> Int {
    while true {
      var (limit, code) = (Int.max, Int32(0))
      switch intercept(call) {
      case .failure(let given): code = given
      case .atMost(let given): limit = given
      case nil: break
      }
      if code == 0 {
        let result = body(limit)
        if result >= 0 { return result }
        code = errno
      }
      guard code == EINTR else { throw SpoolError(code: code, kind, call.path) }
    }
  }
}
