import Foundation
import TestSupport
import Testing

@testable import workq

/// Compares the man pages with the program.
@Suite(.busy) struct PageTests {
  @Test func `man pages exist for the program, the tutorial and every subcommand, and nothing else`() throws {
    let pages = try Help.subcommands().map { "workq-\($0).1" } + ["workq.1", "workq-tutorial.7"]
    #expect(Set(ManualPage.all.map(\.name)) == Set(pages))
  }

  @Test(arguments: ManualPage.all)
  func `a man page has the program's version`(page: ManualPage) {
    #expect(page.lines.contains(".Os workq \(Version.current)"))
  }

  @Test func `the latest release in CHANGELOG is the program's version`() throws {
    let path = "\(TestEnvironment.repository)/CHANGELOG.md"
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    let release = try #require(lines.first { $0.hasPrefix("## ") && $0 != "## Unreleased" })
    #expect(release.wholeMatch(of: /## (.+) - \d{4}-\d\d-\d\d/)?.1 == Version.current[...])
  }

  @Test func `the service settings in workq-work(1) are in the packaged example`() throws {
    let path = "\(TestEnvironment.repository)/packaging/example.env"
    let example = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    let shown = try #require(Example.shown(marked: "settings").first).lines
    #expect(shown.count >= 3)
    #expect(Set(shown).isSubset(of: Set(example.map(String.init))))
  }

  @Test(arguments: ManualPage.all)
  func `mandoc reports no warning for a man page`(page: ManualPage) throws {
    let lint = try Program("/usr/bin/mandoc", ["-Tlint", "-W", "warning", page.path]).run()
    #expect(lint.status == 0, "\(lint.output)\(lint.error)")
    #expect(lint.output == "", "\(lint.output)\(lint.error)")
    #expect(lint.error == "", "\(lint.output)\(lint.error)")
  }

  @Test(arguments: ManualPage.all.filter { $0.name.hasSuffix(".1") })
  func `a man page has the usual sections in the usual order`(page: ManualPage) {
    let usual = [
      "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO",
    ]
    #expect(page.sections.filter(usual.contains) == usual)
    // Only where there are any.
    guard let files = page.sections.firstIndex(of: "FILES") else { return }
    #expect(page.sections[files - 1] == "ENVIRONMENT")
    #expect(page.sections[files + 1] == "EXIT STATUS")
  }

  @Test(arguments: ManualPage.all)
  func `the workq pages that a man page refers to exist`(page: ManualPage) {
    let names = page.words(after: "Xr").filter { $0.first?.hasPrefix("workq") == true }
    #expect(!names.isEmpty)
    for name in names {
      #expect(ManualPage.all.contains { $0.name == name.prefix(2).joined(separator: ".") }, "\(name)")
    }
  }

  @Test func `a subcommand's options are in its man page or workq(1), and the page has no others`() throws {
    let common = try ManualPage("workq.1").options
    for subcommand in try Help.subcommands() {
      let (page, help) = (try ManualPage("workq-\(subcommand).1").options, try Help.options([subcommand]))
      #expect(help.subtracting(page).subtracting(common) == [], "\(subcommand): these are in neither page")
      #expect(page.subtracting(help) == [], "\(subcommand): these do not exist")
    }
  }

  @Test func `every help text contains unbroken example lines, WORKQ_URL and WORKQ_QUEUE`() throws {
    for arguments in [[]] + (try Help.subcommands().map { [$0] }) {
      let lines = try Help.text(arguments).split(separator: "\n", omittingEmptySubsequences: false)
      let examples = lines.drop { !$0.hasPrefix("$ ") }.prefix { !$0.isEmpty }
      #expect(examples.count { $0.hasPrefix("$ workq ") } >= 2, "\(arguments)")
      let help = lines.joined(separator: " ")
      #expect(help.contains("WORKQ_URL"), "\(arguments)")
      #expect(help.contains("WORKQ_QUEUE"), "\(arguments)")
      for line in examples {
        #expect(line.hasPrefix("$ ") || line.hasPrefix("     "), "\(arguments): \(line)")
      }
    }
  }

  @Test func `workq(1) lists every common option, and workq(1) and the tutorial no unknown option`() throws {
    let sets = try Help.subcommands().map { try Help.options([$0]) }
    let all = try sets.reduce(into: Help.options([])) { $0.formUnion($1) }
    let common = sets.reduce(all) { $0.intersection($1) }
    #expect(common.contains("--url"))
    let main = try ManualPage("workq.1")
    #expect(common.subtracting(main.options) == [])
    for page in [main, try ManualPage("workq-tutorial.7")] {
      #expect(page.options.subtracting(all) == [], "\(page.name)")
    }
  }

  @Test func `workq(1) explains every exit code, and other pages explain no unknown code`() throws {
    let codes = Set((0...255).filter { ExitStatus(rawValue: $0) != nil })
    try expect(ManualPage("workq.1").exitCodes, equals: codes)
    for page in ManualPage.all where page.name.hasPrefix("workq-") && page.name.hasSuffix(".1") {
      #expect(page.exitCodes.contains(0), "\(page.name)")
      #expect(page.exitCodes.isSubset(of: codes), "\(page.name)")
    }
  }
}
