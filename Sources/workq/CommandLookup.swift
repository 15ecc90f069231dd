internal import Glibc

/// Looks up a worker's command before the worker takes a task.
enum CommandLookup {
  /// What posix_spawnp(3) searches without PATH.
  private static let usualPath = "/bin:/usr/bin"

  /// Refuses a command that cannot be executed.
  ///
  /// - Parameter program: its name, or its path.
  /// - Throws: `configuration`.
  static func check(_ program: String) throws(Failure) {
    guard let code = failure(of: program) else { return }
    let hint =
      program.utf8.contains { " |&;<>$*`".utf8.contains($0) }
      ? " (one word is one argument: --shell runs tasks as command lines, sh -c 'LINE' one line for all)" : ""
    throw Failure(
      .configuration,
      "cannot run '\(Quoted.plain(program))': \(unsafe String(cString: strerror(code)))\(hint)")
  }

  /// The errno of an attempt to execute it; nil when it can be executed.
  private static func failure(of program: String) -> Int32? {
    let bytes = RawArguments.bytes(of: program)
    guard !bytes.contains(UInt8(ascii: "/")) else { return failure(ofFile: bytes) }
    let path = Environment["PATH"] ?? usualPath
    var code = ENOENT
    for directory in path.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      let file = directory.isEmpty ? bytes : Array(directory) + [UInt8(ascii: "/")] + bytes
      guard !bytes.isEmpty, let found = failure(ofFile: file) else { return bytes.isEmpty ? ENOENT : nil }
      // As in exec(3): a file that is not executable takes precedence over a missing one in the error.
      if found == EACCES { code = found }
    }
    return code
  }

  private static func failure(ofFile path: [UInt8]) -> Int32? {
    let path = path.map(CChar.init(bitPattern:)) + [0]
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return errno }
    guard status.st_mode & S_IFMT == S_IFREG else { return EACCES }
    return unsafe access(path, X_OK) == 0 ? nil : errno
  }
}
