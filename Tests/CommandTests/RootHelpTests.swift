import ArgumentParser
import TestSupport
import Testing

@testable import workq

@Suite(.units) struct RootHelpTests {
  @Test func `the program's own help is what the parser would say, however wide the terminal is`() throws {
    for columns in 80...240 {
      try expect(#require(RootHelp.text(columns: columns)), equals: Workq.helpMessage(columns: columns))
    }
  }

  @Test func `where lines are too short for it, the parser is asked`() {
    #expect(RootHelp.text(columns: 79) == nil)
    #expect(RootHelp.text(columns: 0) == nil)
  }

  @Test(arguments: [["help"], ["--help", "work"], ["work", "--help"], ["--version"], ["-hh"]])
  func `other words are not a wish for it`(words: [String]) {
    #expect(!RootHelp.isMeant(by: words))
  }
}
