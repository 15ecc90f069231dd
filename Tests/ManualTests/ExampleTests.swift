import Foundation
import TestSupport
import Testing

/// Runs the examples in the manual and README.md.
@Suite(.busy) struct ExampleTests {
  /// Each example has its own virtual host, so that only the example changes its queues.
  private static let hosts = Result { try VirtualHosts(Example.all.map(\.place)) }

  @Test(arguments: Example.all)
  func `an example succeeds and prints the output that it shows`(example: Example) throws {
    let url = try Self.hosts.get().url(example.place)
    let (result, outputs) = try example.run(at: url)
    #expect(result.status == 0, "\(result.error)\(outputs.flatMap(\.stderr).joined(separator: "\n"))")
    for (step, output) in zip(example.steps, outputs) where !step.shown.isEmpty {
      let (stdout, messages) = Self.split(step.shown)
      #expect(Self.agree(stdout, output.stdout), "'\(step.command)' shows \(stdout), printed \(output)")
      guard !messages.isEmpty else { continue }
      let said = Self.split(output.stderr).messages
      #expect(Self.agree(messages, said), "'\(step.command)' shows \(messages), said \(said)")
    }
  }

  @Test func `every example with a prompt is marked to be run`() throws {
    let readme = try String(contentsOfFile: "\(TestEnvironment.repository)/README.md", encoding: .utf8)
    let pages = ManualPage.all.map { ($0.name, $0.lines) }
    let texts =
      pages + [
        ("README.md", readme.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
      ]
    for (name, lines) in texts {
      for index in lines.indices.dropFirst(2) where lines[index].hasPrefix("$ ") {
        let isFirst = lines[index - 1].hasPrefix(".Bd ") || lines[index - 1].hasPrefix("```")
        let isMarked = lines[index - 2].hasPrefix(#".\" run"#) || lines[index - 2].hasPrefix("<!-- run")
        #expect(!isFirst || isMarked, "\(name):\(index + 1)")
      }
    }
  }

  @Test func `every man page, and README, has an example that is marked to be run`() {
    for page in ManualPage.all {
      #expect(Example.inPages.contains { $0.place.hasPrefix("\(page.name):") }, "\(page.name)")
      // A mark without a block after it would be ignored.
      let marks = page.lines.filter { $0.hasPrefix(#".\" run"#) }
      #expect(marks.count == Example.inPages.count { $0.place.hasPrefix("\(page.name):") }, "\(page.name)")
    }
    #expect(!Example.inReadme.isEmpty, "README.md is missing, or has no example marked <!-- run -->")
  }

  @Test(arguments: [
    (["a"], ["a"], true), (["a"], ["b"], false), (["a"], ["a", "a"], false), (["a ... c"], ["a b c"], true),
    (["a ... c"], ["a b d"], false), (["...c"], ["c"], true), (["dots..."], ["dots..."], true),
    (["a...b...c"], ["a-b-c"], true), (["a...b...c"], ["a-c"], false), (["ab...bc"], ["abc"], false),
  ])
  func `three dots match any text within a line`(shown: [String], printed: [String], isSame: Bool) {
    #expect(Self.agree(shown, printed) == isSame)
  }

  /// Separates a command's output to stdout from the program's own messages to stderr.
  private static func split(_ lines: [String]) -> (others: [String], messages: [String]) {
    (lines.filter { !$0.hasPrefix("workq: ") }, lines.filter { $0.hasPrefix("workq: ") })
  }

  private static func agree(_ shown: [String], _ printed: [String]) -> Bool {
    shown.count == printed.count && zip(shown, printed).allSatisfy { fits($0, $1) }
  }

  private static func fits(_ pattern: String, _ line: String) -> Bool {
    let pieces = pattern.split(separator: "...", omittingEmptySubsequences: false)
    guard let first = pieces.first, let last = pieces.last, pieces.count > 1 else { return pattern == line }
    guard line.hasPrefix(first), line.dropFirst(first.count).hasSuffix(last) else { return false }
    var rest = line.dropFirst(first.count).dropLast(last.count)
    for piece in pieces.dropFirst().dropLast() {
      guard let range = rest.firstRange(of: piece) else { return false }
      rest = rest[range.upperBound...]
    }
    return true
  }
}
