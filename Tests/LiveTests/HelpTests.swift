import Foundation
import TestSupport
import Testing

/// What `--help` says, against the committed texts; RECORD=1 writes them anew.
@Suite(.busy) struct HelpTests {
  private static let directory = "\(TestEnvironment.repository)/Tests/LiveTests/Help"
  private static let records = ProcessInfo.processInfo.environment["RECORD"] == "1"

  private static func help(_ words: [String]) throws -> String {
    var program = Program.workq(words + ["--help"])
    program.environment["COLUMNS"] = "80"
    let result = try program.run()
    #expect(result.status == 0)
    #expect(result.error == "")
    return result.output
  }

  private static func subcommands() throws -> [String] {
    let list = try #require(try help([]).split(separator: "SUBCOMMANDS:\n").last)
    return list.split(separator: "\n").compactMap { line in
      line.firstMatch(of: #/^  ([a-z]+)  /#).map { String($0.1) }
    }
  }

  @Test func `the help of the program and of every subcommand is the committed one`() throws {
    let subcommands = try Self.subcommands()
    #expect(Set(subcommands).isSuperset(of: ["publish", "work", "declare", "purge"]))
    for words in [[]] + subcommands.map({ [$0] }) {
      let name = (["workq"] + words).joined(separator: "-")
      let file = URL(filePath: "\(Self.directory)/\(name).txt")
      let text = try Self.help(words)
      if Self.records { try Data(text.utf8).write(to: file) }
      let committed = try? String(contentsOf: file, encoding: .utf8)
      #expect(text == committed, "this has changed; if that is meant: make record-help")
      for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(name): \(line)") }
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.directory)
    #expect(files.count == subcommands.count + 1, "a subcommand has gone, its help has not: \(files)")
  }

  @Test func `alone, it says what it can do`() throws {
    var program = Program.workq()
    program.environment["COLUMNS"] = "80"
    let result = try program.run()
    #expect(result.status == 0)
    #expect(result.error == "")
    #expect(result.output == (try Self.help([])))
  }

  @Test func `the version is the program's and the library's`() throws {
    let result = try Program.workq("--version").run()
    #expect(result.status == 0)
    #expect(result.output.firstMatch(of: /^\d+\.\d+\.\d+ \(rabbitmq-c \d+\.\d+\.\d+\)\n$/) != nil)
  }
}
