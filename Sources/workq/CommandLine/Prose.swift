/// The markup of the option table's texts, and its rendering as plain text.
///
/// Backticks enclose literals, `<n>` is a value, and a line is a paragraph. The manual has macros for these, for
/// options, variables and references like workq-work(1).
enum Prose {
  static let columns = 80

  /// Paragraphs as indented lines for a terminal.
  static func lines(_ text: String, indent: Int) -> [String] {
    text.utf8.split(separator: UInt8(ascii: "\n")).flatMap { paragraph in
      wrapped(plain(String(Substring(paragraph))), indent: indent)
    }
  }

  /// Text without markup.
  static func plain(_ text: String) -> String {
    let (mark, quote) = (UInt8(ascii: "`"), UInt8(ascii: "'"))
    guard text.utf8.contains(mark) else { return text }
    return String(decoding: text.utf8.map { $0 == mark ? quote : $0 }, as: UTF8.self)
  }

  /// Counts bytes instead of characters, in a tenth of the time: the table is ASCII.
  private static func wrapped(_ paragraph: String, indent: Int) -> [String] {
    let space = UInt8(ascii: " ")
    let margin = [UInt8](repeating: space, count: indent)
    var (lines, line) = ([String](), margin)
    for word in paragraph.utf8.split(separator: space) {
      if line.count > indent, line.count + 1 + word.count > columns {
        lines.append(String(decoding: line, as: UTF8.self))
        line = margin
      }
      if line.count > indent { line.append(space) }
      line.append(contentsOf: word)
    }
    return lines + [String(decoding: line, as: UTF8.self)]
  }
}
