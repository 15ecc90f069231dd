@unsafe @preconcurrency internal import Glibc

/// The process's environment.
enum Environment {
  /// All of it, as NAME=VALUE each, byte for byte.
  static var all: [[UInt8]] {
    var entries: [[UInt8]] = []
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      entries.append(unsafe [UInt8](UnsafeRawBufferPointer(start: entry, count: strlen(entry))))
      unsafe next += 1
    }
    return entries
  }

  /// The value of a variable; an empty one counts as not set.
  static subscript(name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
  }
}
