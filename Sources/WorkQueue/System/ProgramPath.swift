internal import Glibc

/// Finds the program that a name stands for, as posix_spawnp(3) does.
enum ProgramPath {
  /// What posix_spawnp(3) searches without PATH.
  private static let usualPath = "/bin:/usr/bin"

  /// The path of the first file of that name in PATH that may be executed, or the name where it is a path; nil where the
  /// search is better left to posix_spawnp(3).
  static func find(_ name: String) -> [CChar]? {
    guard !name.isEmpty else { return nil }
    if name.utf8.contains(UInt8(ascii: "/")) { return name.utf8CString.map { $0 } }
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? usualPath
    for directory in path.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      // A relative path would be another one after a change of the directory.
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
