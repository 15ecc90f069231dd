internal import Glibc

/// Finds the program that a name stands for, as posix_spawnp(3) does.
enum ProgramPath {
  /// What posix_spawnp(3) searches without PATH.
  private static let usualPath = "/bin:/usr/bin"

  /// The path of the first executable file of this name in PATH, or the name if it is a path; nil if posix_spawnp(3)
  /// should search.
  static func find(_ name: String) -> [CChar]? {
    guard !name.isEmpty else { return nil }
    if name.utf8.contains(UInt8(ascii: "/")) { return name.utf8CString.map { $0 } }
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? usualPath
    for directory in path.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      // A relative path would change its meaning with the working directory.
      guard directory.first == UInt8(ascii: "/") else { return nil }
      let file =
        (Array(directory) + [UInt8(ascii: "/")] + Array(name.utf8)).map(CChar.init(bitPattern:)) + [0]
      var status = stat()
      guard unsafe stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
        unsafe access(file, X_OK) == 0
      else { continue }
      return file
    }
    return nil
  }
}
