internal import Glibc

/// A file's path: any bytes except NUL, not necessarily UTF-8.
package struct FilePath: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  package let bytes: [UInt8]

  package init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  package init(_ text: String) {
    bytes = Array(text.utf8)
  }

  package init(stringLiteral text: String) {
    self.init(text)
  }

  /// For messages: invalid UTF-8 is replaced.
  package var description: String { String(decoding: bytes, as: UTF8.self) }

  /// The part after the last slash.
  package var name: String {
    String(decoding: bytes.split(separator: UInt8(ascii: "/")).last ?? [], as: UTF8.self)
  }

  /// For C calls.
  package var cString: [CChar] { bytes.map(CChar.init(bitPattern:)) + [0] }

  func checkReadable() throws(AMQPError) {
    guard unsafe access(cString, R_OK) != 0 else { return }
    throw AMQPError(.badFile, "connect", "cannot read '\(self)': \(unsafe String(cString: strerror(errno)))")
  }

  /// The path with this text at its end.
  package static func + (path: FilePath, text: String) -> FilePath {
    FilePath(bytes: path.bytes + Array(text.utf8))
  }
}
