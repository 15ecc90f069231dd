import Foundation
import TestSupport
import Testing

@testable import workq

/// Compares the OPTIONS sections of the man pages with the option tables; RECORD=1 updates the pages.
@Suite(.units) struct OptionSectionTests {
  private static let records = ProcessInfo.processInfo.environment["RECORD"] == "1"

  @Test(arguments: ["workq"] + Subcommand.names.map { "workq-\($0)" })
  func `a man page's OPTIONS section matches the option table`(name: String) throws {
    let page = try ManualPage("\(name).1")
    let subcommand = Subcommand.named(String(name.dropFirst("workq-".count)))
    let section = subcommand.map { OptionSection($0) } ?? OptionSection()
    let expected = try #require(section.inserted(into: page.lines), "\(name).1 has no marks for its options")
    if Self.records { try Data(expected.joined(separator: "\n").utf8).write(to: URL(filePath: page.path)) }
    let isSame = try ManualPage("\(name).1").lines == expected
    #expect(isSame, "\(name).1: the table of options has changed: make man")
  }

  @Test func `writes options, values, literals, variables and page references as mdoc macros`() throws {
    let option = Option.value(
      "output", short: "o", aliases: ["out"], "k=v", default: "a b", environment: ["SOME_NAME"],
      "Summary of <k=v>",
      #"See workq-work(1): `\n`, (--spool=<dir>), -x and `?`. Of <n> one."#
    ) { _, _ in }
    let group = OptionGroup(title: "Title", introduction: "Of --lines only one.", options: [option])
    let subcommand = Subcommand(
      name: "x", summary: "", operands: .list("word", atMost: nil), examples: "", description: "",
      groups: { [group] }, run: { _ in })
    let lines = OptionSection(subcommand).lines
    let expected = #"""
      .Ss Title
      Of
      .Fl -lines
      only one.
      .Bl -tag -width Ds
      .It Fl o , -output , -out Ar k Ns = Ns Ar v
      Summary of <k=v>.
      The default is
      .Ql "a b" .
      Without the option,
      .Ev SOME_NAME
      is used.
      See
      .Xr workq-work 1 :
      .Ql \en ,
      .Fl ( -spool Ns = Ns Ar dir ) ,
      .Fl x
      and
      .Ql \&? .
      Of
      .Ar n
      one.
      .El
      """#
    #expect(lines.prefix { !$0.hasPrefix(".Ss Connection") }.joined(separator: "\n") == expected)
  }
}
