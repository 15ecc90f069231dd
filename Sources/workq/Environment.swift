internal import AMQP
@unsafe @preconcurrency internal import Glibc

/// The process's environment.
enum Environment {
  /// All variables as NAME=VALUE, byte for byte.
  static var all: [[UInt8]] {
    var entries: [[UInt8]] = []
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      entries.append(unsafe [UInt8](UnsafeRawBufferPointer(start: entry, count: strlen(entry))))
      unsafe next += 1
    }
    return entries
  }

  /// The value of a variable as a path, byte for byte; an empty one counts as not set.
  static func path(_ name: String) -> FilePath? {
    guard let value = unsafe getenv(name) else { return nil }
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: strlen(value)))
    return bytes.isEmpty ? nil : FilePath(bytes: bytes)
  }

  /// The value of a variable; an empty one counts as not set.
  static subscript(name: String) -> String? { path(name)?.description }
}
