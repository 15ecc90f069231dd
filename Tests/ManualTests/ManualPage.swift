import Foundation
import TestSupport
import Testing

/// A man page: its source and the facts in it.
struct ManualPage: CustomTestStringConvertible, Sendable {
  /// The file's name, such as "workq-publish.1".
  let name: String
  let lines: [String]

  static let directory = "\(TestEnvironment.repository)/man"

  /// All man pages to be installed.
  static let all: [ManualPage] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.sorted().compactMap { try? ManualPage($0) }
  }()

  init(_ name: String) throws {
    self.name = name
    let text = try String(contentsOfFile: "\(Self.directory)/\(name)", encoding: .utf8)
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  var path: String { "\(Self.directory)/\(name)" }
  var testDescription: String { name }

  /// The titles of the sections.
  var sections: [String] { words(after: "Sh").map { $0.joined(separator: " ") } }

  /// The source of one section.
  func section(_ title: String) -> [String] {
    let rest = lines.drop { $0 != ".Sh \(title)" }.dropFirst()
    return Array(rest.prefix { !$0.hasPrefix(".Sh ") })
  }

  /// The words that follow one of `macros` in the source: for "Fl" the options without their first dash.
  func words(after macros: String..., in lines: [String]? = nil) -> [[String]] {
    (lines ?? self.lines).filter { $0.hasPrefix(".") }.flatMap { line in
      let words = line.dropFirst().split(separator: " ").map(String.init)
      return words.indices.filter { macros.contains(words[$0]) }.map { index in
        words[(index + 1)...].prefix { $0.wholeMatch(of: /[A-Z][a-z]/) == nil }.filter {
          $0.wholeMatch(of: /[.,:;|()]/) == nil
        }
      }
    }
  }

  /// The options that the page names, each as it is typed.
  ///
  /// The pages use this macro for workq's own options only, and quote those of other programs.
  var options: Set<String> { Set(words(after: "Fl").joined().map { "-\($0)" }) }

  /// The exit codes that the page explains.
  var exitCodes: Set<Int32> {
    Set(words(after: "It", in: section("EXIT STATUS")).compactMap { $0.first.flatMap { Int32($0) } })
  }

  /// The keys and values that the section about JSON quotes.
  var jsonNames: Set<String> { Set(words(after: "Ql", "So", in: section("JSON OUTPUT")).joined()) }

  /// The environment variables that a section explains in a list.
  func variables(in title: String) -> Set<String> {
    Set(words(after: "Ev", in: section(title).filter { $0.hasPrefix(".It ") }).joined())
  }
}
