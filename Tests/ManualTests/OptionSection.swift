@testable import workq

/// The OPTIONS section of a man page in mdoc(7), generated from the option tables.
struct OptionSection {
  static let start = #".\" options"#
  static let end = #".\" end of options"#

  let lines: [String]

  /// The subcommand's own options; workq(1) describes those that all subcommands have.
  init(_ subcommand: Subcommand) {
    let common = Invocation.commonGroups.map(\.title)
    let own = subcommand.groups().filter { !common.contains($0.title) }
    lines =
      own.flatMap(Self.group).map { line in
        // A page does not refer to itself.
        line.hasPrefix(".Xr workq-\(subcommand.name) 1")
          ? "this page\(line.hasSuffix(" .") ? "." : "")" : line
      } + [".Ss Connection and output options", "See", ".Xr workq 1 ."]
  }

  /// The options that all subcommands have, and the program's own.
  init() {
    lines = (Invocation.commonGroups + [.program]).flatMap(Self.group)
  }

  /// Inserts the section between the marks of a page, if it has them.
  func inserted(into page: [String]) -> [String]? {
    guard let start = page.firstIndex(of: Self.start), let end = page.firstIndex(of: Self.end), start < end
    else { return nil }
    return page[...start] + lines + page[end...]
  }

  private static func group(_ group: OptionGroup) -> [String] {
    var lines = [".Ss \(group.title)"]
    if !group.introduction.isEmpty { lines += text(group.introduction) }
    lines.append(".Bl -tag -width Ds")
    for option in group.options {
      lines.append(".It \(heading(option))")
      lines += text(sentences(option))
    }
    return lines + [".El"]
  }

  private static func sentences(_ option: Option) -> String {
    var text = "\(option.summary)."
    if !option.defaultValue.isEmpty { text += " The default is `\(option.defaultValue)`." }
    if let last = option.environment.last {
      let others = option.environment.dropLast().joined(separator: ", ")
      text += others.isEmpty ? " Without the option, \(last) is used." : ""
      if !others.isEmpty { text += " Without the option, \(others) or \(last) is used, in this order." }
    }
    return option.details.isEmpty ? text : "\(text) \(option.details)"
  }

  private static func heading(_ option: Option) -> String {
    let names = "Fl " + option.names.map { String($0.dropFirst()) }.joined(separator: " , ")
    let value = value(option.valueName)
    return switch option.argument {
    case .none: names
    case .required: "\(names) \(value)"
    case .optional: "\(names) Ns Op Ns = Ns \(value)"
    case .optionalApart: "\(names) Op \(value)"
    }
  }

  /// The value "n", or "status=action" with the separator outside of the names.
  private static func value(_ name: String) -> String {
    for (mark, macro) in [("=", "Ns ="), (":", ":")] {
      let parts = name.split(separator: mark)
      if parts.count == 2 { return "Ar \(parts[0]) \(macro) Ns Ar \(parts[1])" }
    }
    return "Ar \(name)"
  }

  // MARK: Text

  /// Paragraphs with the markup of `Prose`, as lines of mdoc with each macro on its own line.
  private static func text(_ text: String) -> [String] {
    let paragraphs = text.split(separator: "\n").map { paragraph(String($0)) }
    return Array(paragraphs.joined(separator: [".Pp"]))
  }

  private static func paragraph(_ text: String) -> [String] {
    var (lines, line) = ([String](), "")
    func flush() {
      if line.first == "." || line.first == "'" { line = #"\&"# + line }
      if !line.isEmpty { lines.append(line) }
      line = ""
    }
    for word in words(text) {
      if let macro = macro(word) {
        flush()
        lines.append(macro)
        continue
      }
      if line.count + word.count > 76 { flush() }
      line += line.isEmpty ? word : " \(word)"
      if word.hasSuffix(".") { flush() }
    }
    flush()
    return lines
  }

  /// The words of a text, separated by blanks outside of backticks.
  private static func words(_ text: String) -> [String] {
    var (words, word, isLiteral) = ([String](), "", false)
    for character in text {
      if character == "`" { isLiteral.toggle() }
      if character == " " && !isLiteral {
        if !word.isEmpty { words.append(word) }
        word = ""
      } else {
        word.append(character)
      }
    }
    return word.isEmpty ? words : words + [word]
  }

  /// The line for a word that has a macro, with the punctuation around it; nil for other words.
  private static func macro(_ word: String) -> String? {
    let opening = word.prefix { $0 == "(" }
    var core = word.dropFirst(opening.count)
    var closing = ""
    while let last = core.last, ".,;:)".contains(last), !isReference(core) {
      closing = " \(last)\(closing)"
      core = core.dropLast()
    }
    let before = opening.isEmpty ? "" : "( "
    if core.hasPrefix("`"), core.hasSuffix("`") {
      return ".Ql \(before)\(literal(core.dropFirst().dropLast()))\(closing)"
    }
    if let option = core.wholeMatch(of: /-(-?[\w-]+)=<(\w+)>/) {
      return ".Fl \(before)\(option.1) Ns = Ns Ar \(option.2)\(closing)"
    }
    if let option = core.wholeMatch(of: /-(-[\w-]+|\w)/) { return ".Fl \(before)\(option.1)\(closing)" }
    if let value = core.wholeMatch(of: /<([\w-]+)>/) { return ".Ar \(before)\(value.1)\(closing)" }
    if let page = core.wholeMatch(of: /([\w-]+)\((\d)\)/) {
      return ".Xr \(before)\(page.1) \(page.2)\(closing)"
    }
    if core.wholeMatch(of: /[A-Z]+(?:_[A-Z]+)+/) != nil { return ".Ev \(before)\(core)\(closing)" }
    return nil
  }

  private static func isReference(_ word: Substring) -> Bool { word.wholeMatch(of: /[\w-]+\(\d\)/) != nil }

  private static func literal(_ text: Substring) -> String {
    let escaped = text.replacing(#"\"#, with: #"\e"#)
    if escaped.count == 1, "?!.,;:()[]|".contains(escaped) { return #"\&\#(escaped)"# }
    return escaped.contains(" ") ? "\"\(escaped)\"" : String(escaped)
  }
}
