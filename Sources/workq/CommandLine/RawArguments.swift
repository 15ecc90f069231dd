internal import Glibc

/// The command line's bytes as text.
///
/// In an argument that is not UTF-8, each non-ASCII byte becomes a scalar of the last private plane; `bytes(of:)`
/// restores the bytes exactly. An argument that contains such scalars itself is treated in the same way, so that the
/// text is unambiguous.
enum RawArguments {
  private static let base: UInt32 = 0x10_FF00

  /// The arguments after the program's name.
  static func text() -> [String] {
    (1..<Int(CommandLine.argc)).compactMap { index in
      unsafe CommandLine.unsafeArgv[index].map { argument in
        unsafe text(of: [UInt8](UnsafeRawBufferPointer(start: argument, count: strlen(argument))))
      }
    }
  }

  static func text(of bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self), !isEscaped(text) { return text }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: bytes.compactMap { Unicode.Scalar($0 < 0x80 ? UInt32($0) : base + UInt32($0)) })
    return String(text)
  }

  static func bytes(of text: String) -> [UInt8] {
    guard isEscaped(text) else { return Array(text.utf8) }
    return text.unicodeScalars.flatMap { scalar in
      scalar.value >= base ? [UInt8(truncatingIfNeeded: scalar.value)] : Array(String(scalar).utf8)
    }
  }

  /// Whether an argument was not UTF-8.
  static func isEscaped(_ text: String) -> Bool {
    text.unicodeScalars.contains { $0.value >= base }
  }
}
