/// Placeholders in a command's arguments, which a task's body replaces, as in fd(1) and parallel(1).
///
/// `{}` is the body without one newline at its end, `{/}` its last path component, `{.}` the body without its
/// extension, and `{/.}` both. A placeholder can be a part of an argument. The replacement is not searched for
/// placeholders.
package enum Placeholders {
  private enum Kind: CaseIterable {
    case all, name, stem, nameStem

    var text: [UInt8] {
      switch self {
      case .all: Array("{}".utf8)
      case .name: Array("{/}".utf8)
      case .stem: Array("{.}".utf8)
      case .nameStem: Array("{/.}".utf8)
      }
    }
  }

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")

  /// A command's arguments for a task with this body; the first, the program, stays as it is.
  static func replaced(in arguments: [[UInt8]], by body: [UInt8]) -> [[UInt8]] {
    let value = body.last == UInt8(ascii: "\n") ? body.dropLast() : body[...]
    return arguments.enumerated().map { index, word in index == 0 ? word : replaced(in: word, by: value) }
  }

  private static func replaced(in word: [UInt8], by value: ArraySlice<UInt8>) -> [UInt8] {
    var (result, rest) = ([UInt8](), word[...])
    while let byte = rest.first {
      if byte == UInt8(ascii: "{"), let kind = Kind.allCases.first(where: { rest.starts(with: $0.text) }) {
        result += text(kind, value)
        rest = rest.dropFirst(kind.text.count)
      } else {
        result.append(byte)
        rest = rest.dropFirst()
      }
    }
    return result
  }

  private static func text(_ kind: Kind, _ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    switch kind {
    case .all: value
    case .name: name(of: value)
    case .stem: stem(of: value)
    case .nameStem: stem(of: name(of: value))
    }
  }

  /// The last component of a path; slashes at its end do not count.
  private static func name(of path: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let end = path.lastIndex(where: { $0 != slash }) else { return path }
    let path = path[...end]
    return path.lastIndex(of: slash).map { path[($0 + 1)...] } ?? path
  }

  /// A path without the extension of its last component; a dot at the start of the component begins no extension.
  private static func stem(of path: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let name = name(of: path)
    guard let mark = name.lastIndex(of: dot), mark > name.startIndex else { return path }
    return path[..<mark]
  }
}
