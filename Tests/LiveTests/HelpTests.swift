import Foundation
import TestSupport
import Testing

/// Compares the output of `--help` and `-h` with the committed files; RECORD=1 updates these.
@Suite(.busy) struct HelpTests {
  private static let directory = "\(TestEnvironment.repository)/Tests/LiveTests/Help"
  private static let records = ProcessInfo.processInfo.environment["RECORD"] == "1"

  private static func help(_ arguments: [String], _ option: String = "--help") throws -> String {
    let result = try Program.workq(arguments + [option]).run()
    #expect(result.status == 0)
    #expect(result.error == "")
    return result.output
  }

  private static func subcommands() throws -> [String] {
    let list = try #require(try help([]).split(separator: "Subcommands:\n").last)
    return list.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }.compactMap {
      line in
      line.firstMatch(of: #/^  ([a-z]+)  /#).map { String($0.1) }
    }
  }

  @Test func `--help and -h print the committed text for the program and every subcommand`() throws {
    let subcommands = try Self.subcommands()
    #expect(Set(subcommands).isSuperset(of: ["publish", "work", "declare", "purge"]))
    for arguments in [[]] + subcommands.map({ [$0] }) {
      for option in ["--help", "-h"] {
        let name = (["workq"] + arguments).joined(separator: "-") + (option == "-h" ? "-h" : "")
        let file = URL(filePath: "\(Self.directory)/\(name).txt")
        let text = try Self.help(arguments, option)
        if Self.records { try Data(text.utf8).write(to: file) }
        let committed = try? String(contentsOf: file, encoding: .utf8)
        #expect(text == committed, "this has changed; if that is meant: make record-help")
        for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(name): \(line)") }
      }
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.directory)
    #expect(files.count == 2 * (subcommands.count + 1), "a subcommand has gone, its help has not: \(files)")
  }

  @Test func `prints the short help when it is run without arguments`() throws {
    let result = try Program.workq().run()
    #expect(result.status == 0)
    #expect(result.error == "")
    #expect(result.output == (try Self.help([], "-h")))
  }

  @Test func `--version prints the versions of workq and rabbitmq-c`() throws {
    for arguments in [["--version"], ["-V"], ["publish", "--version"]] {
      let result = try Program.workq(arguments).run()
      #expect(result.status == 0)
      #expect(result.output.firstMatch(of: /^\d+\.\d+\.\d+ \(rabbitmq-c \d+\.\d+\.\d+\)\n$/) != nil)
    }
  }
}
